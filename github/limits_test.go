package github

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/upstream"
)

var ref = Ref{"o", "n"}

func (r reply) rate(limit, remaining int, reset time.Time) reply {
	return r.with("X-RateLimit-Limit", strconv.Itoa(limit)).with("X-RateLimit-Remaining", strconv.Itoa(remaining)).
		with("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10)).with("X-RateLimit-Resource", "core")
}

// holds checks that the client holds requests back for d, says so alike in
// Hold and in Fetch, and sends nothing.
func holds(t *testing.T, c *Client, f *fake, d time.Duration, reason string) {
	t.Helper()
	hold := c.Hold()
	until, why := hold.Until, hold.Reason
	if got := time.Until(until); got != d || !strings.Contains(why, reason) {
		t.Fatalf("holds for %v because %q; want %v, %q", got, why, d, reason)
	}
	before := len(f.asked)
	a := c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts})
	if got := outcomes(a); got != [4]upstream.Outcome{limited, limited, limited, limited} || a.Requests+a.Charged+len(f.asked)-before != 0 {
		t.Fatalf("%v, %d requests, %d charged, asked %v", got, a.Requests, a.Charged, f.asked[before:])
	}
	if e := a.Participation.Err; !e.RetryAt.Equal(until) || !strings.Contains(e.Message, why) || e.Status != 0 {
		t.Fatalf("%v; want %v, %s", e, until, why)
	}
}

func open(t *testing.T, c *Client) {
	t.Helper()
	if hold := c.Hold(); !hold.Until.IsZero() || hold.Reason != "" {
		t.Fatalf("holds until %v: %s", hold.Until, hold.Reason)
	}
}

func TestGate(t *testing.T) {
	const secondary = `{"message":"You have exceeded a secondary rate limit."}`
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	for _, tt := range []struct {
		name   string
		reply  func() reply // made inside the bubble of fake time
		wait   time.Duration
		reason string
	}{
		{"Retry-After", func() reply { return refuse(403, secondary).with("Retry-After", "17") }, 17 * time.Second, "secondary"},
		{"Retry-After before a reset", func() reply { return refuse(429, "").with("Retry-After", "17").rate(5000, 9, in(time.Hour)) }, 17 * time.Second, "secondary"},
		{"Retry-After beyond the reset", func() reply { return refuse(403, "").with("Retry-After", "3000").rate(5000, 0, in(time.Minute)) }, 50 * time.Minute, "primary"},
		{"absurd Retry-After", func() reply { return refuse(429, "").with("Retry-After", "99999999999999") }, time.Hour, "secondary"},
		{"Retry-After of nothing", func() reply { return refuse(429, "").with("Retry-After", "0") }, time.Minute, "secondary"},
		{"unreadable Retry-After", func() reply { return refuse(403, "").with("Retry-After", "soon") }, time.Minute, "secondary"},
		{"no hint", func() reply { return refuse(403, secondary) }, time.Minute, "secondary"},
		{"primary", func() reply { return refuse(403, "").rate(5000, 0, in(20*time.Minute)) }, 20 * time.Minute, "primary"},
		{"primary as 429", func() reply { return refuse(429, "").rate(5000, 0, in(20*time.Minute)) }, 20 * time.Minute, "primary"},
		{"primary, reset long ago", func() reply { return refuse(403, "").rate(5000, 0, in(-time.Hour)) }, time.Minute, "primary"},
		{"primary, reset in 3,000 years", func() reply {
			return refuse(403, "").rate(5000, 0, in(0)).with("X-RateLimit-Reset", "99999999999")
		}, time.Hour, "primary"},
		{"primary, reset beyond all time", func() reply {
			return refuse(403, "").rate(5000, 0, in(0)).with("X-RateLimit-Reset", "9223372036854775807")
		}, time.Minute, "primary"},
		{"secondary does not wait for the primary's reset", func() reply { return refuse(403, secondary).rate(5000, 4000, in(55*time.Minute)) }, time.Minute, "secondary"},
		{"bad token", func() reply { return refuse(401, `{"message":"Bad credentials"}`) }, 5 * time.Minute, "check github.token_file"},
		{"a value with the last of the budget", func() reply { return ok(repoJSON("o/n")).rate(60, 0, in(9*time.Minute)) }, 9 * time.Minute, "is used up"},
		{"unchanged with the last of the budget", func() reply { return refuse(304, "").rate(60, 0, in(9*time.Minute)) }, 9 * time.Minute, "is used up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake().set(repoURI, tt.reply(), ok(repoJSON("o/n")))
				c := newClient(t, f)
				open(t, c)
				a := c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository})
				if e := a.Repository.Err; a.Repository.Outcome == limited && time.Until(e.RetryAt) != tt.wait {
					t.Errorf("the refusal itself says to come back in %v: %v", time.Until(e.RetryAt), e)
				}
				holds(t, c, f, tt.wait, tt.reason)
				time.Sleep(tt.wait - time.Nanosecond)
				holds(t, c, f, time.Nanosecond, tt.reason)
				time.Sleep(time.Nanosecond)
				open(t, c)
				if a := c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts}); a.Repository.Outcome != fresh || a.Participation.Outcome != fresh {
					t.Errorf("afterwards: %v, %v", outcomes(a), a.Repository.Err)
				}
			})
		})
	}
}

// TestGateDoubles meets a limit that names no time again and again.
func TestGateDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake().set(repoURI, refuse(429, ""))
		c := newClient(t, f)
		for _, minutes := range []int{1, 2, 4, 8, 15, 15} {
			c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository})
			holds(t, c, f, time.Duration(minutes)*time.Minute, "secondary")
			time.Sleep(time.Duration(minutes) * time.Minute)
		}
		f.set(repoURI, ok(repoJSON("o/n")), refuse(429, ""))
		c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository})
		open(t, c)
		c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository})
		holds(t, c, f, time.Minute, "secondary")
	})
}

// script answers requests in the order of their arrival, each after its delay.
type script struct {
	mu    sync.Mutex
	turns []turn
}

type turn struct {
	after time.Duration
	reply reply
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	now := s.turns[0]
	s.turns = s.turns[1:]
	s.mu.Unlock()
	time.Sleep(now.after)
	return answerTo(req, now.reply), nil
}

// fetchAll asks for the repository n times at once.
func fetchAll(t *testing.T, c *Client, n int) []Answer {
	answers := make([]Answer, n)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository}) })
		synctest.Wait() // so that they are sent in order
	}
	wg.Wait()
	return answers
}

// TestGateInFlight: requests that were under way together meet a limit as one,
// and an answer to one of them is no sign that it has passed.
func TestGateInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		no, yes := refuse(429, ""), ok(repoJSON("o/n"))
		s := &script{turns: []turn{{0, yes}, {1, no}, {2, no}, {3, no}, {4, yes}, {0, no}, {0, yes}, {0, no}}}
		c := newClient(t, s)
		fetchAll(t, c, 1) // tells no budget: none is probed for
		fetchAll(t, c, 4)
		until := c.Hold().Until
		if d := time.Until(until); d > time.Minute || d < time.Minute-10 {
			t.Fatalf("three refusals at once hold for %v", d)
		}
		time.Sleep(time.Minute)
		fetchAll(t, c, 1)
		if until := c.Hold().Until; time.Until(until) != 2*time.Minute {
			t.Fatalf("the next refusal holds for %v", time.Until(until))
		}
		time.Sleep(2 * time.Minute)
		fetchAll(t, c, 2)
		if until := c.Hold().Until; time.Until(until) != time.Minute {
			t.Fatalf("a refusal after a success holds for %v", time.Until(until))
		}
	})
}

// TestUnknownBudgetIsProbed: of a pool that starts at once, one request finds
// the budget out before the others are sent, so that the reserve holds from the
// first moment on, and after each reset.
func TestUnknownBudgetIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		sent, answered, left := 0, 0, 10
		wire := roundTripper(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			sent++
			if sent > 1 && answered == 0 {
				t.Error("others were sent beside the first request")
			}
			left--
			remaining := left
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			answered++
			mu.Unlock()
			r := ok(repoJSON("o/n"))
			resp := answerTo(req, r)
			resp.Header.Set("X-RateLimit-Limit", "60")
			resp.Header.Set("X-RateLimit-Remaining", strconv.Itoa(remaining))
			resp.Header.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
			return resp, nil
		})
		c, err := New(Options{BaseURL: "http://sim/", UserAgent: "x", Reserve: 6, Transport: wire})
		if err != nil {
			t.Fatal(err)
		}
		fetchAll(t, c, 8)
		if sent != 4 || left != 6 {
			t.Errorf("%d requests sent, %d left; want 4 and the reserve of 6", sent, left)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestResetIsMonotonic: whoever sets the clock back while the budget is used up makes
// nobody wait for longer.
func TestResetIsMonotonic(t *testing.T) {
	now := time.Now()
	for _, reset := range []int64{0, now.Unix() + 60, now.Unix() + 10*24*3600} {
		if at := (rate{reset: reset}).resetTime(now); at == at.Round(0) {
			t.Errorf("%s goes by the clock on the wall", at)
		}
	}
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		reset, next := start.Add(30*time.Minute), start.Add(90*time.Minute)
		value := ok(repoJSON("o/n"))
		f := newFake()
		c := newClient(t, f, func(o *Options) { o.Reserve = 2000 }) // of which 500 count
		ask := func(r reply, want Budget) {
			t.Helper()
			f.set(repoURI, r)
			c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository})
			if got := c.Credentials()[0].Requests; got != want {
				t.Errorf("budget %+v, want %+v", got, want)
			}
		}
		if got := c.Credentials()[0].Requests; got != (Budget{}) {
			t.Errorf("budget %+v before the first answer", got)
		}
		ask(value, Budget{})
		ask(value.rate(5000, 4000, reset), Budget{5000, 4000, reset, true})
		ask(value.rate(5000, 4002, reset), Budget{5000, 4000, reset, true})                                   // overtaken
		ask(value.rate(5000, 4001, reset.Add(time.Second)), Budget{5000, 4000, reset, true})                  // its reset wobbles
		ask(value.rate(5000, 3990, reset.Add(-time.Second)), Budget{5000, 3990, reset, true})                 //
		ask(value.rate(5000, 1, start.Add(10*time.Minute)), Budget{5000, 3990, reset, true})                  // of an older window
		ask(value.rate(5000, 1, start.Add(-time.Minute)), Budget{5000, 3990, reset, true})                    // of one that is over
		ask(value.rate(30, 0, reset).with("X-RateLimit-Resource", "search"), Budget{5000, 3989, reset, true}) // of another budget
		ask(value, Budget{5000, 3988, reset, true})                                                           // it must have cost one
		ask(value.with("X-RateLimit-Remaining", "x"), Budget{5000, 3987, reset, true})
		ask(refuse(404, "").rate(5000, 3000, reset), Budget{5000, 3000, reset, true})
		ask(value.rate(5000, 501, reset), Budget{5000, 501, reset, true})
		open(t, c)
		ask(value.rate(5000, 500, reset), Budget{5000, 500, reset, true})
		holds(t, c, f, 30*time.Minute, "500 are kept in reserve")
		time.Sleep(30 * time.Minute)
		open(t, c)
		if got := c.Credentials()[0].Requests; got != (Budget{}) {
			t.Errorf("budget %+v after its reset", got)
		}
		ask(value.rate(5000, 400, reset), Budget{}) // late
		open(t, c)
		ask(value.rate(5000, 4999, next), Budget{5000, 4999, next, true})
		ask(value.rate(5000, 10, reset), Budget{5000, 4999, next, true})

		time.Sleep(time.Until(next))
		hour := next.Add(time.Hour)
		ask(value.rate(5000, 4000, reset).with("X-RateLimit-Reset", "99999999999"), Budget{5000, 4000, hour, true}) // absurd
		ask(value.rate(5000, 4500, hour), Budget{5000, 4000, hour, true})
		time.Sleep(time.Hour)
		ask(value.rate(5000, 4500, hour.Add(time.Hour)), Budget{5000, 4500, hour.Add(time.Hour), true})
	})
}

// TestReserve has 8 workers run into the reserve of a server that counts, and
// whose answers overtake each other.
func TestReserve(t *testing.T) {
	for _, tt := range []struct{ limit, start, reserve, floor int }{
		{5000, 150, 100, 100},
		{60, 40, 1000, 6}, // the anonymous budget keeps a tenth
		{5000, 33, 0, 0},
	} {
		for seed := range uint64(20) {
			synctest.Test(t, func(t *testing.T) {
				s := &counting{limit: tt.limit, remaining: tt.start, reset: time.Now().Add(30 * time.Minute), rand: rand.New(rand.NewPCG(seed, 0))}
				c := newClient(t, s, func(o *Options) { o.Reserve = tt.reserve })
				c.Fetch(t.Context(), Question{Ref: ref, Parts: PartRepository}) // the first answer tells the budget
				var sent, refused atomic.Int64
				var wg sync.WaitGroup
				for range 8 {
					wg.Go(func() {
						for range 50 {
							a := c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts})
							sent.Add(int64(a.Requests))
							if a.Participation.Outcome == limited {
								refused.Add(1)
							}
						}
					})
				}
				wg.Wait()
				if s.remaining < tt.floor || refused.Load() == 0 {
					t.Errorf("%d requests are left, at least %d should be; %d fetches were refused", s.remaining, tt.floor, refused.Load())
				}
				if spent := tt.start - s.remaining - 1; int64(spent) != sent.Load() {
					t.Errorf("spent %d, said %d", spent, sent.Load())
				}
				for range 8 { // alone, with nothing in flight, one gets all but the reserve
					c.Fetch(t.Context(), Question{Ref: ref, Parts: AllParts})
				}
				if s.remaining != tt.floor {
					t.Errorf("%d requests are left, all but %d should be spent", s.remaining, tt.floor)
				}
			})
		}
	}
}

// counting charges for each request and takes its time, before and after.
type counting struct {
	mu               sync.Mutex
	limit, remaining int
	reset            time.Time
	rand             *rand.Rand
}

func (s *counting) RoundTrip(req *http.Request) (*http.Response, error) {
	s.dawdle()
	s.mu.Lock()
	s.remaining--
	r := refuse(418, "").rate(s.limit, s.remaining, s.reset)
	s.mu.Unlock()
	s.dawdle()
	return answerTo(req, r), nil
}

func (s *counting) dawdle() {
	s.mu.Lock()
	d := time.Duration(s.rand.Int64N(int64(time.Second)))
	s.mu.Unlock()
	time.Sleep(d)
}
