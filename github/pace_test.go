package github

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

// TestFullSpeedWhereItFits: what the budget allows goes as fast as the secondary limit
// does, and no faster, however many ask.
func TestFullSpeedWhereItFits(t *testing.T) {
	for _, workers := range []int{8, 60, 250} {
		synctest.Test(t, func(t *testing.T) {
			wire := &accounts{latency: 300 * time.Millisecond}
			c, _ := several(t, wire, "a")
			c.questions.each = 1 // as it is once some are answered
			c.Plan(3000 / workers * workers)
			start := time.Now()
			done := askAll(t, c, workers, 3000/workers, PartRepository)
			took, a := time.Since(start), wire.account("a")
			fastest := time.Duration(done/workers)*wire.latency + time.Second
			if bound := time.Duration(done) * time.Minute / 840; fastest < bound {
				fastest = bound
			}
			if done != 3000/workers*workers || took > fastest || wire.busiestMinute() > 890 || a.most > 80 {
				t.Errorf("%d workers: %d done in %v (at best %v), %d in the busiest minute, %d in flight", workers, done, took, fastest, wire.busiestMinute(), a.most)
			}
		})
	}
}

// TestInFlight: slow answers do not pile up beyond what GitHub allows.
func TestInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: 20 * time.Second}
		c, _ := several(t, wire, "a")
		if done := askAll(t, c, 250, 2, PartRepository); done != 500 || wire.account("a").most != 80 {
			t.Errorf("%d answers, %d in flight", done, wire.account("a").most)
		}
	})
}

// TestEvenlyWhereItDoesNotFit: the budget lasts until its reset, all of it is used but
// the reserve, and the next one likewise.
func TestEvenlyWhereItDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: 200 * time.Millisecond}
		c, _ := several(t, wire, "a")
		c.credentials[0].requests.reserve = 100
		if d := c.Plan(1_000_000); d < 100*time.Hour {
			t.Errorf("a million takes %v", d)
		}
		end, stop := context.WithTimeout(t.Context(), 2*time.Hour)
		defer stop()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for end.Err() == nil {
					switch a := c.Fetch(end, Question{Ref: ref, Parts: PartRepository}); a.Repository.Outcome {
					case fresh, upstream.Canceled:
					default: // all is spent, a moment before the reset
						if wait := time.Until(a.Repository.Err.RetryAt); wait > 2*time.Second {
							t.Errorf("after %v: %v", time.Since(wire.sent[0]), a.Repository.Err)
							return
						}
						time.Sleep(time.Until(a.Repository.Err.RetryAt))
					}
				}
			})
		}
		wg.Wait()
		spent := wire.account("a").left
		perMinute := map[int]int{}
		for _, at := range spent {
			perMinute[int(at.Sub(spent[0])/time.Minute)]++
		}
		for m := range 119 {
			if n := perMinute[m]; n < 70 || n > 125 {
				t.Errorf("minute %d: %d requests", m, n)
			}
		}
		if n := len(spent); n < 2*4900*98/100 || n > 2*4900+10 {
			t.Errorf("%d requests in two hours", n)
		}
	})
}

// TestPointsAreSpread likewise, where they do not suffice for the queries that are planned.
func TestPointsAreSpread(t *testing.T) {
	for queries, minutes := range map[int]int{100_000: 60, 1000: 6} {
		synctest.Test(t, func(t *testing.T) {
			wire := &accounts{latency: 300 * time.Millisecond}
			c, _ := several(t, wire, "a")
			_, _, _ = ask(t, c) // tells the budget
			c.PlanQueries(queries)
			start := time.Now()
			for range min(queries, 4990) {
				if _, _, e := ask(t, c); e != nil {
					t.Fatal(e)
				}
			}
			if d := time.Since(start); d < time.Duration(minutes*98/100)*time.Minute || d > time.Duration(minutes+1)*time.Minute {
				t.Errorf("%d planned: %d queries took %v", queries, min(queries, 4990), d)
			}
		})
	}
}

// TestFreeRequestsTakeNoTurn: what costs nothing is not spread.
func TestFreeRequestsTakeNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := several(t, &accounts{}, "a")
		c.Plan(1_000_000)
		known := one(t, c, nil).Validators
		start := time.Now()
		for range 100 {
			if a := one(t, c, known); a.Repository.Outcome != unchanged {
				t.Fatal(a.Repository)
			}
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("100 free requests took %v", d)
		}
		if cost := c.questions.cost(1); cost > 0.5 {
			t.Errorf("a question is taken to cost %.2f requests, after 100 that cost none", cost)
		}
	})
}

// TestPersonGoesFirst: whoever waits for a budget that is spread does not keep a person
// from asking at once.
func TestPersonGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: 100 * time.Millisecond}
		c, _ := several(t, wire, "a")
		wire.account("a").remaining = 1200 // one in 3 s
		one(t, c, nil)
		c.Plan(1_000_000)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for ctx.Err() == nil {
					c.Fetch(ctx, Question{Ref: ref, Parts: AllParts})
				}
			})
		}
		time.Sleep(time.Minute)
		start := time.Now()
		a := c.Fetch(upstream.Insist(t.Context()), Question{Ref: ref, Parts: AllParts, Beside: func(f func()) bool { go f(); return true }})
		if d := time.Since(start); d != 200*time.Millisecond || a.Participation.Outcome != fresh {
			t.Errorf("%v after %v: two round trips would do", outcomes(a), d)
		}
		stop()
		wg.Wait()
	})
}

// TestLongWaitIsAHold: a request that would wait for longer than a minute is refused, with
// the time to come back.
func TestLongWaitIsAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, _ := several(t, wire, "a")
		wire.account("a").remaining = 1200
		one(t, c, nil) // tells the budget
		c.Plan(1_000_000)
		start := time.Now()
		var mu sync.Mutex
		var refused []upstream.Error
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() {
				a := one(t, c, nil)
				mu.Lock()
				defer mu.Unlock()
				switch a.Repository.Outcome {
				case fresh: // its time to answer has begun after the wait
				case limited:
					refused = append(refused, *a.Repository.Err)
				default:
					t.Error(a.Repository.Err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d < 45*time.Second || d > 61*time.Second || len(refused) < 30 || !refused[0].RetryAt.After(start.Add(time.Minute)) || !strings.Contains(refused[0].Message, "waiting for their turn") {
			t.Errorf("%d refused, all over after %v: %+v", len(refused), d, refused)
		}
		if !c.Hold().Until.IsZero() {
			t.Errorf("%+v", c.Hold())
		}
	})
}

// TestWaitEndsWithItsContext: whoever waits for a turn can give up.
func TestWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{}
		c, _ := several(t, wire, "a")
		wire.account("a").remaining = 1000
		c.Plan(1_000_000)
		one(t, c, nil)
		one(t, c, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		a := c.Fetch(ctx, Question{Ref: ref, Parts: PartRepository})
		if a.Repository.Outcome != upstream.Canceled || a.Requests != 0 || time.Since(start) != time.Second {
			t.Errorf("%+v after %v", a.Repository, time.Since(start))
		}
	})
}

// TestAnonymousIsPlanned: a question begins only if the budget can answer all of it.
func TestAnonymousIsPlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{latency: time.Second, of: map[string]*account{"": {limit: 60, remaining: 60, reset: time.Now().Add(time.Hour)}}}
		c, err := New(Options{BaseURL: "https://api.test", Transport: wire, Reserve: 100})
		if err != nil {
			t.Fatal(err)
		}
		if d := c.Plan(100); d < 5*time.Hour || d > 8*time.Hour {
			t.Errorf("100 repositories take %v", d)
		}
		var mu sync.Mutex
		whole := 0
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					a := c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts})
					mu.Lock()
					switch outcomes(a) {
					case [4]upstream.Outcome{fresh, fresh, fresh, fresh}:
						whole++
					case [4]upstream.Outcome{limited, limited, limited, limited}:
					default:
						t.Errorf("in part: %v", outcomes(a))
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if left := wire.of[""].remaining; whole != 13 || left != 60-4*13 {
			t.Errorf("%d answers, %d requests left", whole, left)
		}
		if hold := c.Hold(); !hold.Until.Equal(wire.of[""].reset) {
			t.Errorf("%+v", hold)
		}
		time.Sleep(time.Until(c.Hold().Until))
		if a := c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts}); a.Participation.Outcome != fresh {
			t.Errorf("after the reset: %v", outcomes(a))
		}
	})
}

// TestPromisesAreTakenBack: a question that is given up leaves its requests to others.
func TestPromisesAreTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{of: map[string]*account{"": {limit: 60, remaining: 60, reset: time.Now().Add(time.Hour)}}}
		c, err := New(Options{BaseURL: "https://api.test", Transport: wire, PerMinute: 60})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 14 {
			wg.Go(func() {
				c.Fetch(ctx, Question{Ref: ref, Parts: AllParts, Beside: func(f func()) bool { go f(); return true }})
			})
		}
		wg.Wait()
		l := c.credentials[0].requests
		if asked := wire.of[""].asked; asked < 30 || asked > 40 || l.promised != 0 || l.inFlight != 0 || l.queued != 0 {
			t.Errorf("after %d requests: %d promised, %d in flight, %d queued", asked, l.promised, l.inFlight, l.queued)
		}
	})
}

// TestWithoutLimits: a server that tells no budget has none, and is asked without any pace.
func TestWithoutLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{of: map[string]*account{bearer(tokenOf("a")): {}}}
		c, _ := several(t, wire, "a")
		if d := c.Plan(1_000_000); d <= 0 {
			t.Error("before the first answer, GitHub's usual budget is what is known")
		}
		start := time.Now()
		if n := askAll(t, c, 8, 500, PartRepository); n != 4000 || time.Since(start) > time.Second {
			t.Errorf("%d in %v", n, time.Since(start))
		}
		if d := c.Plan(1_000_000); d != 0 || c.Credentials()[0].Requests.Known || !c.Hold().Until.IsZero() {
			t.Errorf("a million takes %v; %+v, %+v", d, c.Credentials(), c.Hold())
		}
	})
}

// TestLargeLimit: a server that grants more in an hour than GitHub's secondary limit allows
// does not have that, and is asked as fast as it allows.
func TestLargeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &accounts{of: map[string]*account{bearer(tokenOf("a")): {limit: 600_000, remaining: 600_000, reset: time.Now().Add(time.Hour)}}}
		c, _ := several(t, wire, "a")
		start := time.Now()
		if n := askAll(t, c, 8, 500, PartRepository); n != 4000 || time.Since(start) > 30*time.Second {
			t.Errorf("%d in %v, of 10,000 a minute", n, time.Since(start))
		}
	})
}

// TestOneOfFourIsRevoked: the others do the work of three.
func TestOneOfFourIsRevoked(t *testing.T) {
	work := func(names ...string) (done int) {
		synctest.Test(t, func(t *testing.T) {
			wire := &accounts{latency: 200 * time.Millisecond}
			c, _ := several(t, wire, names...)
			c.Plan(1_000_000)
			if len(names) == 4 {
				time.AfterFunc(time.Second, func() {
					no := refuse(401, "")
					wire.mu.Lock()
					defer wire.mu.Unlock()
					wire.account("d").refuse = &no
				})
			}
			end, stop := context.WithTimeout(t.Context(), 30*time.Minute)
			defer stop()
			var mu sync.Mutex
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					for end.Err() == nil {
						switch a := c.Fetch(end, Question{Ref: ref, Parts: PartRepository}); a.Repository.Outcome {
						case fresh:
							mu.Lock()
							done++
							mu.Unlock()
						case upstream.Canceled:
						default:
							t.Error(a.Repository.Err)
						}
					}
				})
			}
			wg.Wait()
		})
		return done
	}
	three, four := work("a", "b", "c"), work("a", "b", "c", "d")
	t.Logf("three credentials answer %d in half an hour, four of which one is revoked %d", three, four)
	if three < 3*2500*95/100 || float64(four) < 0.95*float64(three) {
		t.Errorf("three credentials answer %d in half an hour, four of which one is revoked %d", three, four)
	}
}
