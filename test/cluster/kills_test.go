package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// perRound is how many packages are new in each round: more than a host takes at once, and
// fewer than the simulator counts the paths of.
const perRound = 3000

// TestKills kills a host with SIGKILL while it fetches, again and again. What it had not
// stored, others ask for; that is all that is asked twice. Two hosts share a token.
func TestKills(t *testing.T) {
	long(t, "kills")
	kills := program.Number(t, "PKGMETAD_KILLS", 20, 1)
	once := askedOnce(t, kills)

	s := newSite(t, options{sim: sim.Options{Latency: 80 * time.Millisecond}, packages: kills * perRound, tokens: map[string]string{"a": "shared", "b": "shared"}})
	s.startAll(t)
	s.read(t, s.hosts...)
	var times []time.Duration
	asked, twice, expected, charged := int64(0), int64(0), int64(0), int64(0)
	packages := 0
	for round := range kills {
		s.world.ResetStats()
		packages = s.extend(t, (round+1)*perRound)
		eventually(t, patience, func() error { return s.hosts[0].lists(packages) }) // or what is killed is the takeover
		victim := s.asking(t)
		time.Sleep(rand.N(4 * time.Second))
		victim.kill(t)
		killed := time.Now()
		s.allDone(t, packages)
		times = append(times, time.Since(killed))
		a, b := again(s.world.PathCounts(), once[round].paths)
		asked, twice, expected = asked+a, twice+b, expected+once[round].charged
		charged += s.charged()
		s.polite(t)
		t.Logf("round %d: %s killed; done %s later; %d of %d asked twice", round+1, victim.name, times[round].Round(time.Second), b, a)
		victim.start(t)
		victim.joined(t)
	}
	figures := s.settle(t, packages)
	s.readers.end(t)
	s.stopAll(t)
	share := 100 * float64(twice) / float64(asked)
	if share > 1 {
		t.Errorf("%.2f %% were asked twice", share)
	}
	t.Logf("%d kills of a fetching host: all of %d packages done, at most %s later; %d of %d requests were made twice (%.2f %%), %d charged against %d by one host alone; 0 by two hosts with one credential at once",
		kills, packages, slices.Max(times).Round(time.Second), twice, asked, share, charged, expected)
	t.Logf("%s; %s", figures, s.readers.figures())
}

// A round is what one host alone asks for the packages of one.
type round struct {
	paths   map[string]int64 // requests by path
	charged int64
}

// askedOnce has one host alone fetch all rounds, of the same world.
func askedOnce(t *testing.T, rounds int) (all []round) {
	s := newSite(t, options{packages: rounds * perRound, alone: true, workers: 64})
	h := s.hosts[0]
	h.start(t)
	for i := range rounds {
		s.world.ResetStats()
		packages := s.extend(t, (i+1)*perRound)
		eventually(t, 5*patience, func() error { return h.done(packages) })
		all = append(all, round{s.world.PathCounts(), s.charged()})
	}
	h.stop(t)
	return all
}

// again returns how many requests were made, and how many more than once needs. Those for
// many sources at once, which have one path, are left to what is charged.
func again(counts, once map[string]int64) (asked, more int64) {
	for path, n := range counts {
		if path == "/graphql" || path == "/simple/" {
			continue
		}
		asked += n
		more += max(n-once[path], 0)
	}
	return asked, more
}

// TestScale has three hosts with a credential each ask GitHub what one alone does.
func TestScale(t *testing.T) {
	long(t, "scale")
	packages := program.Number(t, "PKGMETAD_PACKAGES", 9000, few+1)
	fetch := func(alone bool) (time.Duration, int64, map[string]int64) {
		s := newSite(t, options{
			sim: sim.Options{Latency: 80 * time.Millisecond}, packages: packages, alone: alone, workers: 4,
			gitHub: 1, // PyPI is asked by one host at a time, however many there are
		})
		if alone {
			s.hosts[0].start(t)
		} else {
			s.startAll(t)
		}
		eventually(t, patience, func() error { return s.hosts[0].done(few) })
		s.world.ResetStats()
		n := s.extend(t, 0)
		var began time.Time
		eventually(t, patience, func() error {
			if began = time.Now(); len(s.asked()) == 0 && s.charged() == 0 {
				return fmt.Errorf("nothing is asked")
			}
			return nil
		})
		eventually(t, 10*patience, func() error { return s.hosts[0].done(n) })
		took := time.Since(began)
		s.polite(t)
		hosts := s.asked()
		charged := s.charged()
		s.stopAll(t)
		return took, charged, hosts
	}
	one, oneCharged, _ := fetch(true)
	three, threeCharged, hosts := fetch(false)
	ratio, more := one.Seconds()/three.Seconds(), float64(threeCharged)/float64(oneCharged)
	if ratio < 2.7 {
		t.Errorf("three hosts are %.2f times as fast as one", ratio)
	}
	if more > 1.02 {
		t.Errorf("three hosts are charged for %.3f times as many requests as one", more)
	}
	t.Logf("repositories of %d packages, 80 ms upstream: one host alone in %s, three hosts with a credential each in %s: %.2f times as fast; charged requests %d and %d: %.3f times as many; by host %v",
		packages, one.Round(100*time.Millisecond), three.Round(100*time.Millisecond), ratio, oneCharged, threeCharged, more, hosts)
}
