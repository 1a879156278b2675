package main

import (
	"testing"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/store"
)

// seedBatch is how many sources are stored at once.
const seedBatch = 2000

// seed gives a store what it would hold after months: each repository counted as of now
// and checked within the last month, each project as PyPI has it. It saves the months.
func seed(t *testing.T, st *store.Store, world *sim.World, packages []sim.Package, now time.Time) {
	seen := map[record.Key]bool{}
	var batch []record.Source
	put := func(s record.Source) {
		if batch = append(batch, s); len(batch) < seedBatch {
			return
		}
		if err := st.Put(batch); err != nil {
			t.Fatal(err)
		}
		batch = batch[:0]
	}
	for i, p := range packages {
		refs := fetcher.Refer("github.com")(record.Entry{RepoURL: p.RepoURL, PyPIURL: p.PyPIURL})
		// Spread over the interval before now, as what was fetched at any time is.
		fetched := now.Add(-24*time.Hour + time.Duration(i%1000)*time.Minute)
		status := record.Status{State: record.StateOK, LastAttempt: fetched, LastSuccess: fetched, NextDue: fetched.Add(24 * time.Hour)}
		gone := record.Status{State: record.StateGone, LastAttempt: fetched, Failures: 6, LastError: "not there", NextDue: now.Add(time.Duration(i%720) * time.Hour)}
		if refs.Repo != "" && !seen[refs.Repo] {
			seen[refs.Repo] = true
			if repo := seedRepo(world, refs.Repo, now, i); repo != nil {
				put(record.Source{Key: refs.Repo, Status: status, Repo: repo})
			} else {
				put(record.Source{Key: refs.Repo, Status: gone})
			}
		}
		if name, ok := refs.Project.Project(); ok && !seen[refs.Project] {
			seen[refs.Project] = true
			if truth, ok := world.ProjectTruth(name, now); ok && !truth.Gone {
				s := record.Source{Key: refs.Project, Status: status, Project: &record.Project{Name: truth.Name, Version: &truth.Latest, Support: &record.Support{}}}
				s.Serial = truth.Serial
				s.Project.Standing = record.Standing{Status: string(truth.Status), Asked: fetched, Due: now.Add(time.Duration(i%720) * time.Hour)}
				put(s)
			} else {
				put(record.Source{Key: refs.Project, Status: gone})
			}
		}
	}
	if err := st.Put(batch); err != nil {
		t.Fatal(err)
	}
}

func seedRepo(world *sim.World, key record.Key, now time.Time, i int) *record.Repo {
	_, owner, name, _ := key.Repo()
	truth, ok := world.RepoTruth(world.RepoNamed(owner+"/"+name, now), now)
	if !ok || truth.Gone || truth.Blocked != "" || truth.Head == "" {
		return nil
	}
	today := record.DayOf(now)
	repo := &record.Repo{
		Name: truth.FullName, ID: truth.ID, NodeID: truth.NodeID, Stars: truth.Stars, Forks: truth.Forks, Archived: truth.Archived,
		LastCommit: &truth.LastCommit, AsOf: today, HeadSeen: today, CountsFrom: record.FromCounting,
		Counting: &record.Counting{
			Head: truth.Head, Days: record.Days{}, Agreed: 4 + i%2, Moved: true,
			CheckDue: now.Add(time.Duration(i%720) * time.Hour), // within a month
		},
	}
	if truth.Description != nil {
		repo.Description = *truth.Description
	}
	for _, c := range truth.Contributors {
		repo.Participants = append(repo.Participants, c.Login)
		repo.Contributions = append(repo.Contributions, c.Contributions)
	}
	if truth.LastCommit.After(now.Add(-400 * 24 * time.Hour)) {
		for _, c := range world.Commits(world.Repo(truth.FullName)) {
			at := c.Authored
			if at.IsZero() {
				at = c.At
			}
			repo.Counting.Days.Add(record.DayOf(at), 1)
		}
	}
	repo.Counting.Days = repo.Counting.Days.Trimmed(today)
	repo.Commits52 = repo.Counting.Days.Weeks(today)
	// Nothing was pushed for a month to most: their count is as it was when it was checked.
	repo.Counting.Moved = truth.LastCommit.After(now.Add(-30 * 24 * time.Hour))
	return repo
}
