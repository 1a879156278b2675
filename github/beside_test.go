package github

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/upstream"
)

// slow answers after a second, or later, and counts the requests in flight.
type slow struct {
	*fake
	later     map[string]time.Duration // by URI
	now, most atomic.Int64
}

func (s *slow) RoundTrip(req *http.Request) (*http.Response, error) {
	if n := s.now.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	defer s.now.Add(-1)
	time.Sleep(time.Second + s.later[req.URL.RequestURI()])
	return s.fake.RoundTrip(req)
}

// room is a caller's bound on the requests in flight.
type room chan struct{}

func (r room) beside(f func()) bool {
	select {
	case r <- struct{}{}:
		go func() { defer func() { <-r }(); f() }()
		return true
	default:
		return false
	}
}

func TestFetchSideBySide(t *testing.T) {
	alone := newFake()
	want := newClient(t, alone).Fetch(t.Context(), Question{Ref: ref, Parts: AllParts})
	for free, seconds := range map[int]time.Duration{0: 4, 1: 3, 2: 2, 9: 2} {
		synctest.Test(t, func(t *testing.T) {
			wire := &slow{fake: newFake()}
			start := time.Now()
			a := newClient(t, wire).Fetch(t.Context(), Question{Ref: ref, Parts: AllParts, Beside: make(room, free).beside})
			if d := time.Since(start); d != seconds*time.Second {
				t.Errorf("room for %d: took %v, want %d round trips", free, d, seconds)
			}
			if most := wire.most.Load(); most > int64(free)+1 {
				t.Errorf("room for %d: %d requests in flight", free, most)
			}
			if d := cmp.Diff(want, a); d != "" {
				t.Errorf("room for %d: -alone +got\n%s", free, d)
			}
		})
	}
}

// TestFetchStopsBeside: a limit that one part meets stops those not begun, and
// those that have begun are waited for.
func TestFetchStopsBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := &slow{fake: newFake().set(usersURI, refuse(429, "")), later: map[string]time.Duration{comURI: 1}}
		a := newClient(t, wire).Fetch(t.Context(), Question{Ref: ref, Parts: AllParts, Beside: make(room, 1).beside})
		if want := [4]upstream.Outcome{fresh, limited, fresh, limited}; outcomes(a) != want || a.Requests != 3 {
			t.Errorf("%v, want %v; asked %q", outcomes(a), want, wire.asked)
		}
		if wire.now.Load() != 0 {
			t.Error("Fetch did not wait for what it started")
		}
	})
}

// TestFetchPanicsOnItsOwnGoroutine, where its caller can recover.
func TestFetchPanicsOnItsOwnGoroutine(t *testing.T) {
	wire := roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.URL.RequestURI() == usersURI {
			panic("index out of range")
		}
		return newFake().RoundTrip(req)
	})
	var others sync.WaitGroup
	defer others.Wait()
	defer func() {
		if v := recover(); v != "index out of range" {
			t.Errorf("recovered %v", v)
		}
	}()
	newClient(t, wire).Fetch(t.Context(), Question{Ref: ref, Parts: AllParts, Beside: func(f func()) bool { others.Go(f); return true }})
	t.Error("no panic")
}
