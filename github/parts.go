package github

import (
	"context"

	gh "github.com/google/go-github/v60/github"

	"pkgmetad/internal/upstream"
)

// repository asks GET /repos/{owner}/{name} and learns the current name.
func (f *fetch) repository() (r Repository, e *upstream.Error) {
	v, a, e := ask(f, f.known["repository"], func(ctx context.Context) (*gh.Repository, *gh.Response, error) {
		return f.client.gh.Repositories.Get(ctx, f.ref.Owner, f.ref.Name)
	})
	if e != nil {
		switch e.Outcome {
		case upstream.Pending, upstream.Empty, upstream.TooLarge: // said of its parts only
			e.Outcome = upstream.Failed
		}
		return r, e
	}
	ref, err := ParseRef(v.GetFullName())
	switch {
	case v.FullName == nil:
		return r, a.broken("no full_name")
	case err != nil:
		return r, a.broken("full_name: %v", err)
	case v.GetID() <= 0:
		return r, a.broken("no id")
	case v.StargazersCount == nil || *v.StargazersCount < 0:
		return r, a.broken("no stargazers_count")
	case v.ForksCount == nil || *v.ForksCount < 0:
		return r, a.broken("no forks_count")
	}
	r = Repository{
		ID:          v.GetID(),
		FullName:    ref.String(),
		Stars:       v.GetStargazersCount(),
		Forks:       v.GetForksCount(),
		Description: v.GetDescription(),
		Archived:    v.GetArchived(),
		Disabled:    v.GetDisabled(),
	}
	if v.PushedAt != nil {
		var ok bool
		if r.PushedAt, ok = utc(*v.PushedAt); !ok {
			return Repository{}, a.broken("pushed_at is no usable time")
		}
	}
	f.keep("repository", a.etag())
	if a.call.moves.Temporary == 0 {
		f.answer.Ref, f.ref = ref, ref
	}
	return r, nil
}

// commits asks GET /repos/{owner}/{name}/commits?per_page=1. With one commit a
// page the number of the last page is the number of commits.
func (f *fetch) commits() (c Commits, e *upstream.Error) {
	v, a, e := ask(f, f.known["commits"], func(ctx context.Context) ([]*gh.RepositoryCommit, *gh.Response, error) {
		return f.client.gh.Repositories.ListCommits(ctx, f.ref.Owner, f.ref.Name, &gh.CommitsListOptions{ListOptions: gh.ListOptions{PerPage: 1}})
	})
	if e == nil && (a.noContent() || v != nil && len(v) == 0) {
		e = empty()
	}
	switch {
	case e != nil && e.Outcome == upstream.Empty:
		f.keep("commits", "")
		return c, e
	case e != nil:
		return c, e
	case v == nil:
		return c, a.broken("no list of commits")
	}
	date := v[0].GetCommit().GetCommitter().GetDate()
	if date.IsZero() {
		date = v[0].GetCommit().GetAuthor().GetDate()
	}
	last, ok := utc(date)
	if !ok {
		return c, a.broken("the newest commit has no usable date")
	}
	count := a.LastPage
	if a.Header.Get("Link") == "" {
		count = 1
	}
	if count < 1 {
		return c, a.broken("the Link header does not number the last page")
	}
	f.keep("commits", a.etag())
	return Commits{Last: last, Count: count}, nil
}

// participation asks GET /repos/{owner}/{name}/stats/participation.
func (f *fetch) participation() (weeks []int, e *upstream.Error) {
	if f.answer.Commits.Outcome == upstream.Empty {
		f.keep("participation", "")
		return nil, empty()
	}
	v, a, e := ask(f, f.known["participation"], func(ctx context.Context) (*gh.RepositoryParticipation, *gh.Response, error) {
		return f.client.gh.Repositories.ListParticipation(ctx, f.ref.Owner, f.ref.Name)
	})
	if e == nil && a.noContent() {
		e = empty()
	}
	switch {
	case e != nil && e.Outcome == upstream.Empty:
		f.keep("participation", "")
		return nil, e
	case e != nil:
		return nil, e
	case len(v.All) != 52:
		return nil, a.broken("participation has %d weeks, not 52", len(v.All))
	}
	for _, n := range v.All {
		if n < 0 {
			return nil, a.broken("participation has a week with %d commits", n)
		}
	}
	f.keep("participation", a.etag())
	return v.All, nil
}
