package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

// gate is a gate with the checks that the tests need.
type gate struct {
	*upstream.Gate
	t *testing.T
}

// admit gets a permit, which there has to be.
func (g gate) admit() upstream.Permit {
	g.t.Helper()
	p, hold, err := g.Admit(g.t.Context())
	if err != nil || !hold.Until.IsZero() {
		g.t.Fatalf("not admitted: %+v, %v", hold, err)
	}
	return p
}

// held checks that nothing may be asked for that long, and why.
func (g gate) held(wait time.Duration, reason string) {
	g.t.Helper()
	_, hold, err := g.Admit(g.t.Context())
	if err != nil || time.Until(hold.Until) != wait || hold.Reason != reason || g.Hold() != hold {
		g.t.Fatalf("held for %s, %q (%v); want %s, %q", time.Until(hold.Until), hold.Reason, err, wait, reason)
	}
}

func gates(t *testing.T, test func(t *testing.T, g gate)) {
	synctest.Test(t, func(t *testing.T) { test(t, gate{upstream.NewGate("Sim"), t}) })
}

func TestGateRefused(t *testing.T) {
	gates(t, func(t *testing.T, g gate) {
		for _, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
			g.Refused(g.admit(), time.Time{}, "busy", false)
			g.held(want*time.Minute, "busy")
			time.Sleep(want * time.Minute)
		}
		g.Answered(g.admit())
		g.Refused(g.admit(), time.Now().Add(10*time.Second), "named", false)
		g.held(10*time.Second, "named")
		time.Sleep(10 * time.Second)
		g.Refused(g.admit(), time.Now().Add(1000*time.Hour), "absurd", false)
		g.held(time.Hour, "absurd")
		if g.Fault() != "" {
			t.Errorf("a limit is no fault, and it says %q", g.Fault())
		}
	})
}

// TestGateOneIncident: requests that are under way together are refused once, and an
// answer to one of them is no recovery.
func TestGateOneIncident(t *testing.T) {
	gates(t, func(t *testing.T, g gate) {
		var under []upstream.Permit
		for range 5 {
			under = append(under, g.admit())
		}
		g.Refused(under[0], time.Time{}, "busy", false)
		g.Refused(under[1], time.Time{}, "busy", false)
		g.Failed(under[2], 502, "bad gateway")
		g.Answered(under[3])
		g.Release(under[4])
		g.held(time.Minute, "busy")
	})
}

// TestGateProbe: when the time is over one request goes through, the others wait for
// its answer.
func TestGateProbe(t *testing.T) {
	gates(t, func(t *testing.T, g gate) {
		g.Refused(g.admit(), time.Time{}, "busy", false)
		time.Sleep(time.Minute)
		probe := g.admit()
		admitted := make(chan upstream.Hold, 2)
		for range 2 {
			go func() {
				p, hold, err := g.Admit(t.Context())
				if err == nil && hold.Until.IsZero() {
					g.Answered(p)
				}
				admitted <- hold
			}()
		}
		synctest.Wait()
		if len(admitted) != 0 {
			t.Fatal("others went through beside the probe")
		}
		g.Refused(probe, time.Time{}, "still busy", false)
		for range 2 {
			if hold := <-admitted; hold.Reason != "still busy" {
				t.Errorf("after a probe that was refused: %+v", hold)
			}
		}

		time.Sleep(2 * time.Minute)
		probe = g.admit()
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := g.Admit(cancelled); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled one waits on: %v", err)
		}
		g.Release(probe) // it was given up: the next one is the probe
		g.Answered(g.admit())
		if hold := g.Hold(); !hold.Until.IsZero() {
			t.Errorf("still held: %+v", hold)
		}
	})
}

// TestGateOutage: equal failures in a row close the gate; what is in the way stays
// known until there is an answer.
func TestGateOutage(t *testing.T) {
	gates(t, func(t *testing.T, g gate) {
		fail := func(n, status int, failure string) {
			for range n {
				g.Failed(g.admit(), status, failure)
			}
		}
		fail(4, 0, "connection refused")
		fail(4, 0, "no route") // another one begins to count anew
		g.Answered(g.admit())
		fail(4, 0, "no route")
		time.Sleep(2 * time.Minute) // too long ago to be the same
		fail(4, 0, "no route")
		fail(9, 502, "bad gateway")
		if hold := g.Hold(); !hold.Until.IsZero() || g.Fault() != "" {
			t.Fatalf("held too early: %+v", hold)
		}
		fail(1, 502, "bad gateway")
		const why = "Sim fails: bad gateway"
		g.held(time.Minute, why)
		time.Sleep(time.Minute)
		if g.Fault() != why {
			t.Errorf("nobody has asked since, and the fault is %q", g.Fault())
		}
		g.Failed(g.admit(), 0, "connection refused") // one failure is enough of a probe
		g.held(2*time.Minute, "Sim fails: connection refused")
		time.Sleep(2 * time.Minute)
		g.Answered(g.admit())
		if g.Fault() != "" || g.Hold() != (upstream.Hold{}) {
			t.Errorf("it answered: %q, %+v", g.Fault(), g.Hold())
		}
	})
}

// TestGateOutageInOtherWords: failures of one kind count together although each has other
// numbers in it, or other words of the server's, and go on being told in the same words.
func TestGateOutageInOtherWords(t *testing.T) {
	for _, test := range []struct {
		status, enough int
		words          string
	}{{0, 5, "read tcp 127.0.0.1:%d: no route to host"}, {503, 10, "request %x failed (HTTP 503)"}} {
		gates(t, func(t *testing.T, g gate) {
			for n := range test.enough {
				g.Failed(g.admit(), test.status, fmt.Sprintf(test.words, 2730+n))
			}
			why := "Sim fails: " + fmt.Sprintf(test.words, 2730+test.enough-1)
			g.held(time.Minute, why)
			time.Sleep(time.Minute)
			g.Failed(g.admit(), test.status, fmt.Sprintf(test.words, 1))
			g.held(2*time.Minute, why)
			time.Sleep(2 * time.Minute)
			g.Refused(g.admit(), time.Time{}, "the token was refused", true)
			time.Sleep(time.Hour)
			g.Failed(g.admit(), test.status, fmt.Sprintf(test.words, 2))
			if want := "Sim fails: " + fmt.Sprintf(test.words, 2); g.Fault() != want {
				t.Errorf("after another fault: %q, want %q", g.Fault(), want)
			}
		})
	}
}

// TestGateUnanswered: what was given up, for whatever cause, says nothing of the upstream;
// what took too long does.
func TestGateUnanswered(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(context.Context) (context.Context, context.CancelFunc)
		want string
	}{
		{"cancelled", context.WithCancel, ""},
		{"stopped", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(errors.New("the daemon is stopping")) }
		}, ""},
		{"late", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 0)
		}, "Sim fails: no complete answer within the time allowed"},
	} {
		gates(t, func(t *testing.T, g gate) {
			ctx, cancel := test.end(t.Context())
			cancel()
			for range 5 {
				g.Unanswered(ctx, g.admit(), ctx.Err())
			}
			if got := g.Fault(); got != test.want {
				t.Errorf("%s: %q, want %q", test.name, got, test.want)
			}
		})
	}
}

// TestGateInsist: a person may ask while the gate is closed, one request at a time.
func TestGateInsist(t *testing.T) {
	gates(t, func(t *testing.T, g gate) {
		g.Refused(g.admit(), time.Time{}, "busy", false)
		ctx := upstream.Insist(t.Context())
		probe, hold, err := g.Admit(ctx)
		if err != nil || !hold.Until.IsZero() {
			t.Fatalf("%+v, %v", hold, err)
		}
		g.held(time.Minute, "busy") // for all others
		g.Answered(probe)
		g.Release(g.admit())
	})
}
