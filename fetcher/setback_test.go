package fetcher_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/sim"
)

// single is a world of one package, kit.
func single(o sim.Options) *sim.World {
	world := sim.New(o)
	pair(world, "kit", nil)
	return world
}

func push(world *sim.World, author string) {
	world.Push(world.Repo("acme/kit"), sim.Commit{At: time.Now(), Author: author})
}

// TestPushedEachDayByREST: a repository that is pushed to each day before it is asked
// about does not wait for a day without a push.
func TestPushedEachDayByREST(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := single(sim.Options{})
		r := newRig(t, world, nil)
		for day := range 5 {
			push(world, fmt.Sprintf("author%d", day))
			time.Sleep(time.Hour)
			r.pass()
			p := r.get("kit")
			if age := int(record.DayOf(time.Now()) - p.Repo.AsOf); age > 0 || !slices.Contains(p.Repo.Participants, fmt.Sprintf("author%d", day)) {
				t.Errorf("day %d: the weeks are %d days old, the participants %q", day, age, p.Repo.Participants)
			}
			time.Sleep(23 * time.Hour)
		}
	})
}
