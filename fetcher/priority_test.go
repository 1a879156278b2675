package fetcher_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
	"pkgmetad/internal/upstream"
)

// TestWhenASourceIsDueAgain: after its interval at the latest, whether its repository is
// active or not.
func TestWhenASourceIsDueAgain(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		name           string
		active         time.Duration // Policy.ActiveAfter
		own            record.Interval
		silence        time.Duration // since the last commit
		least, longest time.Duration
	}{
		{"as others", 0, record.Interval{}, 100 * day, 24 * time.Hour * 8 / 10, day},
		{"active, and that is off", 0, record.Interval{}, day, 24 * time.Hour * 8 / 10, day},
		{"active", 5 * time.Hour, record.Interval{}, day, 4 * time.Hour, 5 * time.Hour},
		{"no longer active", 5 * time.Hour, record.Interval{}, 8 * day, 24 * time.Hour * 8 / 10, day},
		{"a date to come", 5 * time.Hour, record.Interval{}, -day, 24 * time.Hour * 8 / 10, day},
		{"active, with an interval of its own that is shorter", 5 * time.Hour, record.Interval{Shortest: 2 * time.Hour}, day, 96 * time.Minute, 2 * time.Hour},
		{"a longer one", 0, record.Interval{Shortest: 10 * day}, 100 * day, 8 * day, 10 * day},
		{"a longer one, which not all ask for", 0, record.Interval{Shortest: 10 * day, Default: true}, 100 * day, 24 * time.Hour * 8 / 10, day},
	} {
		policy := policy
		policy.ActiveAfter = test.active
		var waits []time.Duration
		for i := range 200 {
			s := knownRepo()
			s.Key, s.Interval = record.Key(fmt.Sprint("github.com/a/b", i)), test.own
			s = fetcher.Merge(s, fetcher.Answer{Repo: &github.Answer{
				Repository: part(upstream.Unchanged, github.Repository{}),
				Commits:    part(upstream.Fresh, github.Commits{Last: someDay.Add(-test.silence), Count: 10}),
			}}, someDay, policy)
			waits = append(waits, s.NextDue.Sub(s.LastSuccess))
		}
		least, longest := slices.Min(waits), slices.Max(waits)
		spread := test.longest - test.least
		if least < test.least || longest > test.longest || longest-least < spread*9/10 {
			t.Errorf("%s: due again after %s to %s; want %s to %s", test.name, least, longest, test.least, test.longest)
		}
	}
}

// TestFirstThings: where the budget does not suffice for all, those go first of which
// nothing is known, and of them those that are read.
func TestFirstThings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{Limit: 60})
		for i := range 40 {
			pair(world, fmt.Sprintf("p%02d", i), nil)
		}
		reads := map[int]uint64{}
		r := newRig(t, world, func(o *fetcher.Options) {
			o.Workers, o.Reads = 1, func() map[int]uint64 { return reads }
		})
		reads[r.get("p35").ID], reads[r.get("p22").ID] = 7, 1
		// fetched are the packages whose repository has been fetched in the last hour.
		fetched := func() (slugs []string) {
			for i := range 40 {
				if rec := r.get(fmt.Sprintf("p%02d", i)); !rec.GitHub.LastSuccess.IsZero() && time.Since(rec.GitHub.LastSuccess) < time.Hour {
					slugs = append(slugs, rec.Slug)
				}
			}
			return slugs
		}
		r.pass()
		first := fetched()
		n := len(first)
		if want := append(names(0, n-2), "p22", "p35"); n < 8 || n > 20 || !slices.Equal(first, want) {
			t.Errorf("at first %v were fetched", first)
		}
		time.Sleep(48 * time.Hour) // now the others are overdue
		r.pass()
		if second := fetched(); len(second) < 8 || slices.ContainsFunc(second, func(slug string) bool { return slices.Contains(first, slug) }) {
			t.Errorf("then %v were, after %v", second, first)
		}
	})
}

func names(from, to int) (slugs []string) {
	for i := from; i < to; i++ {
		slugs = append(slugs, fmt.Sprintf("p%02d", i))
	}
	return slugs
}

// TestIntervalsOfPackages: each source is fetched as often as the catalogue asks for, and
// never older than that at a pass.
func TestIntervalsOfPackages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := sim.New(sim.Options{NoPending: true, Limit: 1 << 30, NoSecondary: true})
		ages := map[string]time.Duration{"often": 6 * time.Hour, "usual": 0, "seldom": 96 * time.Hour}
		for name := range ages {
			pair(world, name, nil)
		}
		r := newRig(t, world, nil)
		declare := func() {
			c := world2catalogue(r.world.Catalogue())
			for i := range c.Packages {
				c.Packages[i].StaleAfter = ages[c.Packages[i].Slug]
			}
			if _, err := r.store.SyncCatalogue(c, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		declare()
		fetches, last := map[string]int{}, map[string]time.Time{}
		run := func(hours int) {
			for range hours {
				r.pass()
				for name := range ages {
					rec := r.get(name)
					if !rec.GitHub.LastSuccess.Equal(last[name]) {
						fetches[name]++
					}
					last[name] = rec.GitHub.LastSuccess
				}
				time.Sleep(time.Hour)
			}
		}
		run(8 * 24)
		for name, want := range map[string][2]int{"often": {32, 48}, "usual": {8, 11}, "seldom": {2, 3}} {
			if n := fetches[name]; n < want[0] || n > want[1] {
				t.Errorf("%s: fetched %d times in 8 days, not %d to %d", name, n, want[0], want[1])
			}
		}

		// What is lowered counts at once, for what is older alone; what is raised counts
		// from the next success.
		passed := func(want string) {
			t.Helper()
			time.Sleep(time.Minute)
			began := time.Now().Truncate(time.Microsecond)
			r.pass()
			var got []string
			for _, name := range []string{"often", "seldom", "usual"} {
				if rec := r.get(name); !rec.GitHub.LastSuccess.Before(began) {
					got = append(got, name)
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%v were fetched, not %q", got, want)
			}
		}
		if _, err := r.RefreshAll(t.Context(), nil, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Hour)
		r.refresh("often")
		passed("")
		ages["often"], ages["seldom"] = time.Hour, time.Hour
		declare()
		passed("seldom")
		ages["often"], ages["seldom"] = 0, 0
		declare()
		passed("")
		time.Sleep(time.Hour)
		passed("often seldom") // at the time that was planned when it was lowered
		r.refresh("often")
		r.configure(func(o *fetcher.Options) { o.Policy.StaleAfter = 2 * time.Hour })
		passed("usual")
		time.Sleep(3 * time.Hour)
		passed("often seldom usual")
		time.Sleep(10 * time.Minute)
		passed("")

		// What was pushed to is asked more often, as soon as that is wanted and known.
		repo := world.Repo("acme/usual")
		world.Edit(func() { repo.Commits = append(repo.Commits, sim.Commit{At: time.Now().Add(-time.Hour), Author: "ada"}) })
		r.configure(func(o *fetcher.Options) { o.Policy.ActiveAfter = 10 * time.Minute })
		passed("")
		r.refresh("usual")
		time.Sleep(10 * time.Minute)
		passed("usual")
		time.Sleep(5 * time.Minute)
		passed("")
		r.configure(func(o *fetcher.Options) { o.Policy.ActiveAfter = 5 * time.Minute })
		passed("usual")
	})
}
