package upstream_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

// TestElsewhere: what another host uses is on hold for some seconds, over and over.
func TestElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := false
		usable := func() bool { return ours }
		for range 3 {
			hold := upstream.Elsewhere(usable, "this credential")
			if wait := time.Until(hold.Until); wait <= 0 || wait > 15*time.Second || !hold.Elsewhere || hold.Fault || !strings.Contains(hold.Reason, "another host uses this credential") {
				t.Errorf("%+v, in %s", hold, wait)
			}
			time.Sleep(time.Until(hold.Until))
		}
		ours = true
		if hold := upstream.Elsewhere(usable, "it"); hold != (upstream.Hold{}) {
			t.Errorf("it is ours: %+v", hold)
		}
		if hold := upstream.Elsewhere(nil, "it"); hold != (upstream.Hold{}) {
			t.Errorf("there is one host alone: %+v", hold)
		}
	})
}

// TestGateInform: what another host was told holds here as well, and neither for longer nor
// as a fault.
func TestGateInform(t *testing.T) {
	gates(t, func(t *testing.T, g gate) {
		late := g.admit()
		g.Inform(time.Now(), "over")
		g.Answered(g.admit()) // it is open
		g.Inform(time.Now().Add(20*time.Second), "told elsewhere")
		g.Answered(late) // was asked before
		g.held(20*time.Second, "told elsewhere")
		g.Inform(time.Now().Add(10*time.Second), "shorter")
		g.held(20*time.Second, "told elsewhere")
		g.Inform(time.Now().Add(1000*time.Hour), "absurd")
		g.held(time.Hour, "absurd")
		if g.Fault() != "" {
			t.Errorf("a limit is no fault, and it says %q", g.Fault())
		}
		time.Sleep(time.Hour)
		g.Refused(g.admit(), time.Time{}, "busy", false)
		g.held(time.Minute, "busy") // the doubling begins here
	})
}

func TestUserAgent(t *testing.T) {
	for _, test := range []struct{ contact, host, want string }{
		{"", "", "pkgmetad/1"},
		{"me@example.org", "", "pkgmetad/1 (+me@example.org)"},
		{"me@example.org", "a", "pkgmetad/1 (+me@example.org; host a)"},
		{"", "a", "pkgmetad/1 (host a)"},
	} {
		if got := upstream.UserAgent("1", test.contact, test.host); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
