package crash

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"pkgmetad/test/program"
)

// setClock has the clock of the site's daemons be wrong from now on.
func (s *site) setClock(t *testing.T, by time.Duration) {
	t.Helper()
	program.SetClock(t, s.clock, by)
	time.Sleep(50 * time.Millisecond) // it looks more often than that
}

// wrongClock has the daemon's clock be wrong for a while, by days: ahead, or behind as
// after an empty battery. It may be wrong from a start on, and be set right by one.
func (s *soak) wrongClock(t *testing.T) {
	t.Helper()
	const day = 24 * time.Hour
	wrong := []time.Duration{10 * day, 20 * day, -10 * day, -400 * day}
	restart := func() {
		if rand.IntN(2) == 0 {
			s.end(t, s.daemon.kill)
			s.start(t)
		}
	}
	s.setClock(t, wrong[rand.IntN(len(wrong))])
	restart()
	s.advance()
	time.Sleep(rand.N(4 * time.Second))
	s.setClock(t, 0)
	restart()
}

// recover has everything fetched under a clock that is ahead. Once the clock is right
// again, the daemon has to fetch it all anew by itself: it is not fresh. It looks at the
// clock once a minute; a short run does not wait for that, and restarts it.
func (s *soak) recover(t *testing.T) {
	t.Helper()
	s.setClock(t, 10*24*time.Hour)
	_, _ = s.command("refresh", "--all")
	if s.ahead(t) == 0 {
		t.Error("nothing was fetched under a clock that is ahead")
	}
	s.setClock(t, 0)
	if s.length < time.Minute {
		s.end(t, s.daemon.kill)
		s.start(t)
	}
	for deadline := time.Now().Add(patience); s.ahead(t) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d packages are served as fetched at a time that is still ahead:\n%s", s.ahead(t), s.daemon.log.tail(20))
			return
		}
	}
	body, err := get(t.Context(), *s.base.Load()+"/status/")
	must(t, err)
	var status struct {
		Passes []struct {
			Started         time.Time
			DurationSeconds float64 `json:"duration_seconds"`
		}
	}
	must(t, json.Unmarshal(body, &status))
	for _, p := range status.Passes {
		if p.Started.After(time.Now().Add(time.Minute)) || p.DurationSeconds < 0 || p.DurationSeconds > s.length.Seconds()+60 {
			t.Errorf("the status lists a pass that began at %s and took %.1f s", p.Started, p.DurationSeconds)
		}
	}
}

// ahead returns how many packages are served as fetched at a time that is still ahead.
func (s *soak) ahead(t *testing.T) (n int) {
	t.Helper()
	body, err := get(t.Context(), *s.base.Load()+"/api/v4/packages/?limit=1000")
	must(t, err)
	var list struct {
		Results []struct {
			LastFetched *time.Time `json:"last_fetched"`
		}
	}
	must(t, json.Unmarshal(body, &list))
	for _, p := range list.Results {
		if p.LastFetched != nil && p.LastFetched.After(time.Now()) {
			n++
		}
	}
	return n
}
