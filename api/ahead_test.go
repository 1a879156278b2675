package api

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/status"
	"pkgmetad/store"
)

// lagging is a store that has not come to the end of its feed until it arrives there.
type lagging struct {
	*fakeStore
	arrived chan struct{} // closed when it has
}

func (l lagging) Changes(since uint64, limit int) ([]store.Change, uint64, bool, error) {
	select {
	case <-l.arrived:
		return l.fakeStore.Changes(since, limit)
	default:
		return nil, 0, false, fmt.Errorf("%w: not to %d", store.ErrAhead, since)
	}
}

func (l lagging) Wait(ctx context.Context, since uint64) error {
	select {
	case <-l.arrived:
		return l.fakeStore.Wait(ctx, since)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestChangesAhead: who comes with a sequence that another host gave out waits briefly
// for this one to come there, is told that it has not, or that no host has.
func TestChangesAhead(t *testing.T) {
	records, _ := documented(t)
	last := records.Sequence()
	newest := func(sequence uint64, err error) func(context.Context) (uint64, error) {
		return func(context.Context) (uint64, error) { return sequence, err }
	}
	for name, test := range map[string]struct {
		arrives time.Duration // 0 for never
		newest  func(context.Context) (uint64, error)
		status  int
		part    string
		took    time.Duration
	}{
		"it arrives":                   {arrives: 1500 * time.Millisecond, newest: newest(last, nil), status: 200, part: fmt.Sprintf(`"next":%d,`, last), took: 1500 * time.Millisecond},
		"it arrives too late":          {arrives: time.Minute, newest: newest(last, nil), status: 503, part: "This host has not come to that sequence yet", took: aheadWait},
		"another host is further":      {newest: newest(last+1, nil), status: 503, part: "ask that one", took: aheadWait},
		"no host has come there":       {newest: newest(last-1, nil), status: 410, part: snapshotPath, took: aheadWait},
		"the others are not reached":   {newest: newest(0, errors.New("cut off")), status: 503, part: "This host has not come", took: aheadWait},
		"there is nobody to be asked":  {status: 503, part: "This host has not come", took: aheadWait},
		"the others take time to tell": {newest: func(context.Context) (uint64, error) { time.Sleep(time.Second); return last - 1, nil }, status: 410, part: "since=0", took: aheadWait + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := lagging{records, make(chan struct{})}
				if test.arrives > 0 {
					time.AfterFunc(test.arrives, func() { close(s.arrived) })
				}
				h := newHandler(t, Options{Store: s, Newest: test.newest})
				began := time.Now()
				w := do(h, "GET", fmt.Sprint(changesPath, "?since=", last))
				if took := time.Since(began); w.Code != test.status || !strings.Contains(w.Body.String(), test.part) || took != test.took {
					t.Errorf("after %s it is %d %s", took, w.Code, w.Body)
				}
				if (w.Header().Get("Retry-After") != "") != (w.Code == 503) {
					t.Errorf("%d with Retry-After %q", w.Code, w.Header().Get("Retry-After"))
				}
				if test.arrives > 0 {
					time.Sleep(test.arrives) // so that nothing is left of the test
				}
			})
		})
	}
}

// TestAheadCountsAsWaiting: who waits for this host to come to a sequence is one of those
// who wait for changes, and whoever has gone has no other host asked.
func TestAheadCountsAsWaiting(t *testing.T) {
	records, _ := documented(t)
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		h := newHandler(t, Options{Store: lagging{records, make(chan struct{})}, MaxWaits: 1, Newest: func(context.Context) (uint64, error) {
			asked.Add(1)
			return 0, errors.New("cut off")
		}})
		target := fmt.Sprint(changesPath, "?since=", records.Sequence())
		ctx, leave := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", target, nil).WithContext(ctx)) })
		synctest.Wait()
		if w := do(h, "GET", target); w.Code != 503 || !strings.Contains(w.Body.String(), "Too many readers") {
			t.Errorf("the second is %d %s", w.Code, w.Body)
		}
		leave()
		waiting.Wait()
		if n := asked.Load(); n != 0 {
			t.Errorf("the other hosts were asked %d times", n)
		}
		if w := do(h, "GET", target); w.Code != 503 || asked.Load() != 1 {
			t.Errorf("afterwards it is %d %s, asked %d times", w.Code, w.Body, asked.Load())
		}
	})
}

// TestReadyWhileCutOff: a host that is cut off serves, and says so in plain words.
func TestReadyWhileCutOff(t *testing.T) {
	records, _ := documented(t)
	h := newHandler(t, Options{Store: records, Activity: func() status.Activity {
		return status.Activity{Cluster: &status.Cluster{Host: "a", CutOffSince: time.Now().Add(-3 * time.Hour), Reason: "1 of 3 servers reached", Applied: 9}}
	}})
	if w := do(h, "GET", "/readyz"); w.Code != 200 || !strings.HasPrefix(w.Body.String(), "ok\ncluster: this host is cut off from the others since ") ||
		!strings.HasSuffix(w.Body.String(), "(3 hours ago) and serves what it has: 1 of 3 servers reached") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
