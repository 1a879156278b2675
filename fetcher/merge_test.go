package fetcher_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

var (
	policy  = fetcher.Policy{StaleAfter: 24 * time.Hour, RetryMin: 5 * time.Minute, RetryMax: 24 * time.Hour}
	someDay = time.Date(2026, 3, 4, 5, 6, 7, 891_234_567, time.UTC)
)

// knownRepo and knownProject are sources of which everything is known.
func knownRepo() record.Source {
	last := someDay.Add(-100 * time.Hour).Truncate(time.Microsecond)
	weeks := make([]int, 52)
	weeks[51] = 3
	return record.Source{
		Key: "github.com/a/b", Status: knownStatus("repository"),
		Repo: &record.Repo{Name: "a/b", ID: 1, Stars: 2, Forks: 3, Description: "d", Participants: []string{"ada"}, Commits52: weeks, LastCommit: &last, Commits: 9},
	}
}

func knownProject() record.Source {
	version := "1.0"
	return record.Source{
		Key: "pypi:b", Status: knownStatus("project"),
		Project: &record.Project{Name: "b", Version: &version, Versions: []record.Version{{Version: "1.0"}}, Licence: "MIT"},
	}
}

func knownStatus(tag string) record.Status {
	success := someDay.Add(-25 * time.Hour).Truncate(time.Microsecond)
	return record.Status{State: record.StateOK, LastAttempt: success, LastSuccess: success, Serial: 900, Tags: map[string]string{tag: `"1"`}}
}

var allOutcomes = []upstream.Outcome{upstream.Fresh, upstream.Unchanged, upstream.Pending, upstream.Doubtful, upstream.Stale, upstream.Empty, upstream.TooLarge,
	upstream.Gone, upstream.Blocked, upstream.Limited, upstream.Failed, upstream.Canceled, upstream.NotAsked}

func part[T any](o upstream.Outcome, value T) github.Part[T] {
	p := github.Part[T]{Outcome: o}
	switch o {
	case upstream.Fresh:
		p.Value = value
	case upstream.NotAsked, upstream.Unchanged, upstream.Empty:
	default:
		p.Err = &upstream.Error{Outcome: o, Message: "it was " + string(o)}
	}
	return p
}

// TestMergeProperties walks the combinations of outcomes that a pass can meet
// and checks what holds for all of them.
func TestMergeProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	weeks := make([]int, 52)
	weeks[0] = 1
	pick := func() upstream.Outcome { return allOutcomes[random.IntN(len(allOutcomes))] }
	for range 4_000 {
		repo := &github.Answer{
			Repository:    part(pick(), github.Repository{ID: 1, FullName: "a/b", Stars: 5}),
			Contributors:  part(pick(), []record.Contribution{{Login: "bea", Commits: 2}, {Login: "ada", Commits: 1}}),
			Commits:       part(pick(), github.Commits{Last: someDay, Count: 10}),
			Participation: part(pick(), weeks),
			Validators:    github.Validators{"repository": `W/"2"`},
		}
		release := &pypi.Answer{Outcome: pick(), Project: pypi.Project{Name: "b", Latest: "2.0"}, ETag: `"2"`}
		if !release.Outcome.Answered() && release.Outcome != upstream.NotAsked {
			release.Err = &upstream.Error{Outcome: release.Outcome, Message: "it was " + string(release.Outcome)}
		}
		check(t, knownRepo(), fetcher.Answer{Repo: repo})
		check(t, knownProject(), fetcher.Answer{Project: release})
	}
	for _, s := range []record.Source{knownRepo(), knownProject()} {
		if diff := cmp.Diff(s, fetcher.Merge(s, fetcher.Answer{}, someDay, policy)); diff != "" {
			t.Errorf("not asked:\n%s", diff)
		}
	}
}

// check holds what Merge promises of any answer.
func check(t *testing.T, prev record.Source, a fetcher.Answer) {
	t.Helper()
	copied := func() record.Source {
		if prev.Repo != nil {
			return knownRepo()
		}
		return knownProject()
	}
	s := fetcher.Merge(prev, a, someDay, policy)
	name := fmt.Sprintf("%+v %+v", a.Repo, a.Project)
	if diff := cmp.Diff(copied(), prev); diff != "" {
		t.Fatalf("%s: Merge changed its argument:\n%s", name, diff)
	}
	if again := fetcher.Merge(copied(), a, someDay, policy); !reflect.DeepEqual(s, again) {
		t.Fatalf("%s: not a function of its arguments:\n%s", name, cmp.Diff(s, again))
	}
	if repo := a.Repo; repo != nil {
		if repo.Repository.Outcome != upstream.Fresh && (s.Repo.Stars != 2 || s.Repo.Forks != 3) {
			t.Fatalf("%s: numbers overwritten: %+v", name, s.Repo)
		}
		if o := repo.Participation.Outcome; o != upstream.Fresh && o != upstream.Empty && !reflect.DeepEqual(s.Repo.Commits52, prev.Repo.Commits52) {
			t.Fatalf("%s: counts overwritten: %v", name, s.Repo.Commits52)
		}
	}
	if a.Project != nil {
		switch a.Project.Outcome {
		case upstream.NotAsked, upstream.Canceled, upstream.Limited:
			if diff := cmp.Diff(prev, s); diff != "" {
				t.Fatalf("%s: that says nothing:\n%s", name, diff)
			}
		}
	}
	ignoreStanding := cmpopts.IgnoreFields(record.Project{}, "Standing")
	if a.Project != nil && a.Project.Outcome != upstream.Fresh && !cmp.Equal(s.Project, prev.Project, ignoreStanding) {
		t.Fatalf("%s: release overwritten: %+v", name, s.Project)
	}
	if s.Failures > 0 == s.LastSuccess.After(prev.LastSuccess) && s.LastAttempt.After(prev.LastAttempt) && s.State != record.StatePending {
		t.Fatalf("%s: a success and a failure: %+v", name, s.Status)
	}
	if s.Failures > 0 && s.LastError == "" || s.Failures == 0 && s.LastError != "" {
		t.Fatalf("%s: %d failures, error %q", name, s.Failures, s.LastError)
	}
	if s.LastAttempt.After(prev.LastAttempt) && !s.NextDue.After(someDay) {
		t.Fatalf("%s: due at once after an attempt: %+v", name, s.Status)
	}
}

// TestAnswersThatAreNotBelieved: doubtful and stale ones change nothing but the
// state, are asked for again soon, and a person is told why.
func TestAnswersThatAreNotBelieved(t *testing.T) {
	err := &upstream.Error{Outcome: upstream.Doubtful, Message: "no contributors beside 9 commits"}
	doubtful := github.Answer{
		Repository: part(upstream.Unchanged, github.Repository{}), Contributors: github.Part[[]record.Contribution]{Outcome: upstream.Doubtful, Err: err},
		Commits: part(upstream.Unchanged, github.Commits{}), Participation: part(upstream.Unchanged, []int(nil)),
	}
	stale := pypi.Answer{Outcome: upstream.Stale, Err: &upstream.Error{Outcome: upstream.Stale, Message: "serial 800, known is 900"}}
	for _, tt := range []struct {
		prev record.Source
		a    fetcher.Answer
		note string
	}{
		{knownRepo(), fetcher.Answer{Repo: &doubtful}, "no contributors beside 9 commits; what is known stays until GitHub's answers agree"},
		{knownProject(), fetcher.Answer{Project: &stale}, "serial 800, known is 900; what is known stays, and PyPI is asked again soon"},
	} {
		s := fetcher.Merge(tt.prev, tt.a, someDay, policy)
		if !record.SameServed(&tt.prev, &s) || s.State != record.StatePending || s.Note != tt.note || s.NextDue.After(someDay.Add(policy.RetryMin)) || !s.LastSuccess.Equal(tt.prev.LastSuccess) {
			t.Errorf("%+v", s)
		}
	}
}

// TestDoubtBesidePending: a part that is in doubt outweighs one that is being computed.
func TestDoubtBesidePending(t *testing.T) {
	prev := knownRepo()
	s := fetcher.Merge(prev, fetcher.Answer{Repo: &github.Answer{
		Repository: part(upstream.Fresh, github.Repository{ID: 1, Stars: 5}), Contributors: part(upstream.Doubtful, []record.Contribution(nil)),
		Commits: part(upstream.Unchanged, github.Commits{}), Participation: part(upstream.Pending, []int(nil)),
	}}, someDay, policy)
	const note = "it was doubtful; what is known stays until GitHub's answers agree; GitHub is still computing the weekly commit counts; the ones known stay"
	if !s.LastSuccess.Equal(prev.LastSuccess) || s.State != record.StatePending || s.Repo.Stars != 5 || s.Note != note {
		t.Errorf("%+v", s.Status)
	}
	s = fetcher.Merge(prev, fetcher.Answer{Repo: &github.Answer{
		Repository: part(upstream.Unchanged, github.Repository{}), Contributors: part(upstream.Pending, []record.Contribution(nil)),
		Commits: part(upstream.Unchanged, github.Commits{}), Participation: part(upstream.Doubtful, []int(nil)),
	}}, someDay, policy)
	if !s.LastSuccess.Equal(prev.LastSuccess) {
		t.Errorf("the other way round: %+v", s.Status)
	}
}

// TestStaleSince: the first older answer counts, unless the clock was wrong then; and
// an answer that is none of them ends it.
func TestStaleSince(t *testing.T) {
	const key = "project/stale-since"
	at := func(d time.Duration) string { return someDay.Add(d).Format(time.RFC3339) }
	for _, tt := range []struct {
		outcome      upstream.Outcome
		before, want string
	}{
		{upstream.Stale, "", at(0)},
		{upstream.Stale, at(-time.Hour), at(-time.Hour)},
		{upstream.Stale, at(time.Hour), at(0)},
		{upstream.Stale, "yesterday", at(0)},
		{upstream.Failed, at(-time.Hour), at(-time.Hour)},
		{upstream.Unchanged, at(-time.Hour), ""},
		{upstream.Fresh, at(-time.Hour), ""},
	} {
		prev := knownProject()
		if tt.before != "" {
			prev.Tags[key] = tt.before
		}
		a := pypi.Answer{Outcome: tt.outcome, Project: pypi.Project{Name: "b"}, Err: &upstream.Error{Outcome: tt.outcome}}
		s := fetcher.Merge(prev, fetcher.Answer{Project: &a}, someDay, policy)
		if s.Tags[key] != tt.want || prev.Tags[key] != tt.before {
			t.Errorf("%s, since %q: %q, want %q; the argument has %q", tt.outcome, tt.before, s.Tags[key], tt.want, prev.Tags[key])
		}
	}
}

// TestFailingSince: the first failure of a row counts, unless the clock was ahead then.
func TestFailingSince(t *testing.T) {
	now := someDay.Truncate(time.Microsecond)
	failed := pypi.Answer{Outcome: upstream.Failed, Err: &upstream.Error{Outcome: upstream.Failed}}
	for _, tt := range []struct{ before, want time.Time }{
		{time.Time{}, now}, {now.Add(-time.Hour), now.Add(-time.Hour)}, {now.AddDate(0, 0, 41), now},
	} {
		prev := knownProject()
		prev.FailingSince = tt.before
		if s := fetcher.Merge(prev, fetcher.Answer{Project: &failed}, someDay, policy); !s.FailingSince.Equal(tt.want) {
			t.Errorf("since %s: since %s, want %s", tt.before, s.FailingSince, tt.want)
		}
	}
}

// TestSameRepositoryUnderAnotherURL: what was known under the former URL stays
// where the first answer shows the same id, and is dropped where it does not.
func TestSameRepositoryUnderAnotherURL(t *testing.T) {
	known := knownRepo()
	moved := record.Follow(&known, "github.com/a/c")
	if moved.Repo != nil || moved.State != record.StateNew {
		t.Fatalf("served before it has answered: %+v", moved)
	}
	for id, weeks := range map[int64]int{1: 52, 2: 0} {
		a := github.Answer{
			Repository:   part(upstream.Fresh, github.Repository{ID: id, FullName: "a/c", Stars: 5}),
			Contributors: part(upstream.Fresh, []record.Contribution{{Login: "bea", Commits: 2}}), Commits: part(upstream.Fresh, github.Commits{Last: someDay, Count: 10}),
			Participation: part(upstream.Pending, []int(nil)),
		}
		s := fetcher.Merge(moved, fetcher.Answer{Repo: &a}, someDay, policy)
		if len(s.Repo.Commits52) != weeks || s.Former != nil || s.Repo.Stars != 5 {
			t.Errorf("id %d: %+v", id, s.Repo)
		}
	}
	failed := github.Answer{Repository: part(upstream.Failed, github.Repository{})}
	if s := fetcher.Merge(moved, fetcher.Answer{Repo: &failed}, someDay, policy); s.Former == nil || s.Repo.Stars != 0 {
		t.Errorf("after a failure: %+v", s)
	}
}

func BenchmarkMerge(b *testing.B) {
	prev, project := knownRepo(), knownProject()
	repo := &github.Answer{
		Repository:    part(upstream.Fresh, github.Repository{ID: 1, FullName: "a/b", Stars: 5}),
		Contributors:  part(upstream.Fresh, []record.Contribution{{Login: "bea", Commits: 2}, {Login: "ada", Commits: 1}}),
		Commits:       part(upstream.Fresh, github.Commits{Last: someDay, Count: 10}),
		Participation: part(upstream.Fresh, make([]int, 52)),
	}
	release := &pypi.Answer{Outcome: upstream.Fresh, Project: pypi.Project{Name: "b", Latest: "2.0", Versions: make([]pypi.Version, 30)}}
	b.ReportAllocs()
	for b.Loop() {
		fetcher.Merge(prev, fetcher.Answer{Repo: repo}, someDay, policy)
		fetcher.Merge(project, fetcher.Answer{Project: release}, someDay, policy)
	}
}
