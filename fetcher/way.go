package fetcher

import (
	"sync"

	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
)

// How GitHub counts is decided by the repositories whose count did not hold: if so many
// of them, and most, agree with its statistics once they are counted in another way.
const (
	wayQuorum = 5
	wayVoters = 1000 // the latest of whom are remembered
)

// ways is what the checks say of how GitHub counts commits by day.
type ways struct {
	mu     sync.Mutex
	now    record.Way
	found  bool                // the checks have shown that it is now, since this program began
	votes  map[record.Key]vote // of repositories whose count did not hold
	voters []record.Key        // the earliest first
}

// A vote is what a repository whose count did not hold says.
type vote struct {
	way   record.Way
	found bool // counted this way it agrees; otherwise in no way
}

// after returns the way to count a repository in that was counted in the given way: what
// the checks have found out, if anything since this program began, else as before.
func (w *ways) after(way record.Way) record.Way {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found {
		return w.now
	}
	return way
}

// note takes in what was found out about a repository.
func (w *ways) note(key record.Key, c *record.Counting, log zerolog.Logger) {
	if c == nil || !c.WayFound && (c.Statistics == "" || c.TooMany) {
		return // it says nothing: most repositories look the same counted in any way
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.votes == nil {
		w.votes = map[record.Key]vote{}
	}
	if _, known := w.votes[key]; !known {
		w.voters = append(w.voters, key)
	}
	w.votes[key] = vote{c.Way, c.WayFound}
	if len(w.voters) > wayVoters {
		delete(w.votes, w.voters[0])
		w.voters = w.voters[1:]
	}
	counts := map[record.Way]int{}
	for _, v := range w.votes {
		if v.found {
			counts[v.way]++
		}
	}
	for _, way := range record.Ways() {
		n := counts[way]
		if n < wayQuorum || n <= len(w.votes)/2 {
			continue
		}
		if w.found = true; way != w.now {
			w.now = way
			log.Warn().Int("repositories", len(w.votes)).Int("agree", n).
				Msgf("GitHub's statistics turn out to count commits %s; repositories that were counted otherwise are counted anew", way)
		}
	}
}
