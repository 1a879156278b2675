package github

import (
	"fmt"
	"math"
	"time"

	"pkgmetad/internal/upstream"
)

// repositoryBody is what is used of a repository. Numbers are floats since the
// way a number is written (1000, 1000.0, 1E3) makes no difference.
type repositoryBody struct {
	ID          *float64 `json:"id"`
	FullName    *string  `json:"full_name"`
	Stars       *float64 `json:"stargazers_count"`
	Forks       *float64 `json:"forks_count"`
	Description text     `json:"description"`
	Archived    flag     `json:"archived"`
	Disabled    flag     `json:"disabled"`
}

// repository asks GET /repos/{owner}/{name} and learns the current name.
func (f *fetch) repository(known Validators) (r Repository, tags Validators, e *upstream.Error) {
	var v repositoryBody
	a, e := f.get(f.path(""), known["repository"], &v)
	if e != nil {
		switch e.Outcome {
		case upstream.Pending, upstream.Empty, upstream.TooLarge: // only parts of a repository can be these
			e.Outcome = upstream.Failed
		}
		return r, nil, e
	}
	r, err := v.value()
	if err != nil {
		return Repository{}, nil, a.broken("%v", err)
	}
	if a.call.moves.Temporary == 0 {
		f.learnt, _ = ParseRef(r.FullName)
		f.ref = f.learnt
	}
	return r, a.tagged("repository"), nil
}

func (v *repositoryBody) value() (r Repository, err error) {
	if v.FullName == nil {
		return r, fmt.Errorf("no full_name")
	}
	ref, err := ParseRef(*v.FullName)
	if err != nil {
		return r, fmt.Errorf("full_name: %w", err)
	}
	id, err := whole("id", v.ID)
	if err == nil && id == 0 {
		err = fmt.Errorf("id is 0")
	}
	if err != nil {
		return r, err
	}
	r = Repository{ID: int64(id), FullName: ref.String(), Description: string(v.Description), Archived: bool(v.Archived), Disabled: bool(v.Disabled)}
	if r.Stars, err = whole("stargazers_count", v.Stars); err != nil {
		return r, err
	}
	r.Forks, err = whole("forks_count", v.Forks)
	return r, err
}

// whole returns v if it is a whole number, not negative, that a float holds
// exactly.
func whole(name string, v *float64) (int, error) {
	switch {
	case v == nil:
		return 0, fmt.Errorf("no %s", name)
	case *v < 0 || *v > 1<<53 || *v != math.Trunc(*v):
		return 0, fmt.Errorf("%s is %v, which is not a whole number from 0 on", name, *v)
	}
	return int(*v), nil
}

// commitBody is what is used of a commit.
type commitBody struct {
	Commit object[struct {
		Author    object[signature] `json:"author"`
		Committer object[signature] `json:"committer"`
	}] `json:"commit"`
}

// signature is what is used of a commit's author or committer.
type signature struct {
	Date text `json:"date"`
}

// date returns the date in UTC. It is zero if it cannot be read: git lets people
// write any date into a commit, so that is no reason to refuse the answer.
func (s signature) date() time.Time {
	t, err := time.Parse(time.RFC3339, string(s.Date))
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 { // what JSON can hold
		return time.Time{}
	}
	return t
}

// commits asks GET /repos/{owner}/{name}/commits?per_page=1. With one commit to
// a page, the number of the last page is the number of commits.
func (f *fetch) commits(known Validators) (c Commits, tags Validators, e *upstream.Error) {
	var v []object[commitBody]
	a, e := f.get(f.path("/commits?per_page=1"), known["commits"], &v)
	switch {
	case e != nil:
		return c, nil, e
	case a.noContent() || v != nil && len(v) == 0:
		return c, nil, a.empty()
	case v == nil:
		return c, nil, a.broken("no list of commits")
	}
	c.Count = a.LastPage // 0 if the Link header does not tell it
	if a.Header.Get("Link") == "" {
		c.Count = 1
	}
	commit := v[0].fields.Commit.fields
	c.Last = commit.Committer.fields.date()
	if c.Last.IsZero() {
		c.Last = commit.Author.fields.date()
	}
	if c.Last.IsZero() {
		return c, nil, nil // without its tag the answer, and the note on it, comes again
	}
	return c, a.tagged("commits"), nil
}

// weeks is the length of GitHub's weekly statistics.
const weeks = 52

// participationBody is what is used of the weekly counts.
type participationBody struct {
	All []*float64 `json:"all"`
}

// participation asks GET /repos/{owner}/{name}/stats/participation.
func (f *fetch) participation(known Validators) (counts []int, tags Validators, e *upstream.Error) {
	var v participationBody
	a, e := f.get(f.path("/stats/participation"), known["participation"], &v)
	switch {
	case e != nil:
		return nil, nil, e
	case a.noContent():
		return nil, nil, a.empty()
	}
	counts, err := v.value()
	if err != nil {
		return nil, nil, a.broken("%v", err)
	}
	return counts, a.tagged("participation"), nil
}

func (v *participationBody) value() ([]int, error) {
	if len(v.All) != weeks {
		return nil, fmt.Errorf("participation has %d weeks, not %d", len(v.All), weeks)
	}
	counts := make([]int, weeks)
	for i, n := range v.All {
		var err error
		if counts[i], err = whole(fmt.Sprintf("number of commits in week %d", i+1), n); err != nil {
			return nil, err
		}
	}
	return counts, nil
}
