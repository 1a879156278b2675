package fetcher_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// known returns a record of which everything is known.
func known() record.Package {
	url, version := "https://example.org", "1.0"
	last := someDay.Add(-100 * time.Hour).Truncate(time.Microsecond)
	success := someDay.Add(-25 * time.Hour).Truncate(time.Microsecond)
	weeks := make([]int, 52)
	weeks[51] = 3
	return record.Package{
		Entry:       record.Entry{ID: 7, Slug: "seven", Title: "Seven", RepoURL: &url, PyPIURL: &url},
		Repo:        record.Repo{Name: "a/b", ID: 1, Stars: 2, Forks: 3, Description: "d", Participants: []string{"ada"}, Commits52: weeks, LastCommit: &last, Commits: 9},
		Project:     record.Project{Name: "b", Version: &version, Versions: []record.Version{{Version: "1.0"}}, Licence: "MIT"},
		GitHub:      record.Status{State: record.StateOK, LastAttempt: success, LastSuccess: success, Tags: map[string]string{"repository": `W/"1"`}},
		PyPI:        record.Status{State: record.StateOK, LastAttempt: success, LastSuccess: success, Tags: map[string]string{"project": `"1"`}},
		Modified:    success,
		LastFetched: success,
	}
}

var allOutcomes = []upstream.Outcome{upstream.Fresh, upstream.Unchanged, upstream.Pending, upstream.Doubtful, upstream.Empty, upstream.TooLarge,
	upstream.Gone, upstream.Blocked, upstream.Limited, upstream.Failed, upstream.Canceled, upstream.NotAsked}

// documented returns what the documented API serves of the fetched half.
func documented(r record.Package) []any {
	return []any{r.Repo.Stars, r.Repo.Forks, r.Repo.Description, r.Repo.Participants, r.Repo.Commits52, r.Repo.LastCommit, r.Project.Version}
}

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
			Contributors:  part(pick(), []string{"bea", "ada"}),
			Commits:       part(pick(), github.Commits{Last: someDay, Count: 10}),
			Participation: part(pick(), weeks),
			Validators:    github.Validators{"repository": `W/"2"`},
		}
		release := &pypi.Answer{Outcome: pick(), Project: pypi.Project{Name: "b", Latest: "2.0"}, ETag: `"2"`}
		if !release.Outcome.Answered() && release.Outcome != upstream.NotAsked {
			release.Err = &upstream.Error{Outcome: release.Outcome, Message: "it was " + string(release.Outcome)}
		}
		if random.IntN(8) == 0 {
			repo = nil
		}
		if random.IntN(8) == 0 {
			release = nil
		}
		name := fmt.Sprintf("%+v %+v", repo, release)
		prev, untouched := known(), known()
		rec := fetcher.Merge(prev, repo, release, someDay, policy)
		if diff := cmp.Diff(untouched, prev); diff != "" {
			t.Fatalf("%s: Merge changed its argument:\n%s", name, diff)
		}
		if again := fetcher.Merge(known(), repo, release, someDay, policy); !reflect.DeepEqual(rec, again) {
			t.Fatalf("%s: not a function of its arguments:\n%s", name, cmp.Diff(rec, again))
		}
		if diff := cmp.Diff(prev.Entry, rec.Entry); diff != "" {
			t.Fatalf("%s: the catalogue half changed:\n%s", name, diff)
		}
		if repo == nil || repo.Repository.Outcome != upstream.Fresh {
			if rec.Repo.Stars != 2 || rec.Repo.Forks != 3 {
				t.Fatalf("%s: numbers overwritten: %+v", name, rec.Repo)
			}
		}
		if repo == nil || repo.Participation.Outcome != upstream.Fresh && repo.Participation.Outcome != upstream.Empty {
			if !reflect.DeepEqual(rec.Repo.Commits52, prev.Repo.Commits52) {
				t.Fatalf("%s: counts overwritten: %v", name, rec.Repo.Commits52)
			}
		}
		if (release == nil || release.Outcome != upstream.Fresh) && !reflect.DeepEqual(rec.Project, prev.Project) {
			t.Fatalf("%s: release overwritten: %+v", name, rec.Project)
		}
		if repo == nil && !reflect.DeepEqual(rec.GitHub, prev.GitHub) || release == nil && !reflect.DeepEqual(rec.PyPI, prev.PyPI) {
			t.Fatalf("%s: the state of a source moved that was not asked", name)
		}
		before, after := documented(prev), documented(rec)
		served := !reflect.DeepEqual(before, after)
		if served != rec.Modified.After(prev.Modified) {
			t.Fatalf("%s: something served changed: %t; modified moved: %t", name, served, rec.Modified.After(prev.Modified))
		}
		success := rec.GitHub.LastSuccess.After(prev.GitHub.LastSuccess) || rec.PyPI.LastSuccess.After(prev.PyPI.LastSuccess)
		if rec.LastFetched.Before(prev.LastFetched) || rec.LastFetched.After(prev.LastFetched) && !success {
			t.Fatalf("%s: last_fetched moved to %s without a success", name, rec.LastFetched)
		}
		for source, pair := range map[string][2]record.Status{"github": {prev.GitHub, rec.GitHub}, "pypi": {prev.PyPI, rec.PyPI}} {
			old, s := pair[0], pair[1]
			if s.Failures > 0 == s.LastSuccess.After(old.LastSuccess) && s.LastAttempt.After(old.LastAttempt) {
				t.Fatalf("%s: %s is a success and a failure: %+v", name, source, s)
			}
			if s.Failures > 0 && s.LastError == "" || s.Failures == 0 && s.LastError != "" {
				t.Fatalf("%s: %s: %d failures, error %q", name, source, s.Failures, s.LastError)
			}
			if s.LastAttempt.After(old.LastAttempt) && !s.NextDue.After(someDay) {
				t.Fatalf("%s: %s is due at once after an attempt: %+v", name, source, s)
			}
		}
	}
}

func TestLastFetchedIsTheOlderHalf(t *testing.T) {
	ok := &github.Answer{Repository: part(upstream.Unchanged, github.Repository{}), Contributors: part(upstream.Unchanged, []string(nil)),
		Commits: part(upstream.Unchanged, github.Commits{}), Participation: part(upstream.Unchanged, []int(nil))}
	bad := &pypi.Answer{Outcome: upstream.Failed, Err: &upstream.Error{Outcome: upstream.Failed, Message: "broken"}}
	now := someDay.Truncate(time.Microsecond)
	for _, tt := range []struct {
		name    string
		edit    func(*record.Package)
		release *pypi.Answer
		moves   bool
	}{
		{"both succeed", nil, &pypi.Answer{Outcome: upstream.Unchanged}, true},
		{"PyPI fails", nil, bad, false},
		{"PyPI was not due and is as old as before", nil, nil, false},
		{"PyPI has no part in the record", func(r *record.Package) { r.PyPI = record.Status{State: record.StateNone} }, nil, true},
		{"PyPI's project is gone", nil, &pypi.Answer{Outcome: upstream.Gone, Err: bad.Err}, true},
	} {
		prev := known()
		if tt.edit != nil {
			tt.edit(&prev)
		}
		rec := fetcher.Merge(prev, ok, tt.release, someDay, policy)
		want := prev.LastFetched
		if tt.moves {
			want = now
		}
		if !rec.LastFetched.Equal(want) {
			t.Errorf("%s: last_fetched %s; want %s", tt.name, rec.LastFetched, want)
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	prev := known()
	repo := &github.Answer{
		Repository:    part(upstream.Fresh, github.Repository{ID: 1, FullName: "a/b", Stars: 5}),
		Contributors:  part(upstream.Fresh, []string{"bea", "ada"}),
		Commits:       part(upstream.Fresh, github.Commits{Last: someDay, Count: 10}),
		Participation: part(upstream.Fresh, make([]int, 52)),
	}
	release := &pypi.Answer{Outcome: upstream.Fresh, Project: pypi.Project{Name: "b", Latest: "2.0", Versions: make([]pypi.Version, 30)}}
	b.ReportAllocs()
	for b.Loop() {
		fetcher.Merge(prev, repo, release, someDay, policy)
	}
}
