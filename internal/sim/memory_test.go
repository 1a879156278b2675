package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLatencyInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := Generate(1, 40, Options{Latency: 250 * time.Millisecond, Limit: 1 << 30, NoSecondary: true})
		defer w.Close()
		c := client(w)
		start := time.Now()
		var wg sync.WaitGroup
		for _, r := range w.Repos()[:20] {
			wg.Go(func() {
				for range 4 {
					if a, err := get(c, "http://api.github.test/repos/"+r.FullName); err != nil || a.status == 0 {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("four requests in a row took %v", took)
		}
		if s := w.Stats(); s.GitHub.PeakInFlight != 20 || s.Violations != 0 {
			t.Errorf("%+v", s)
		}

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://sim/simple/", nil)
		if _, err := c.Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestStallAndSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, p := small(t, Options{})
		c := client(w)
		c.Timeout = 5 * time.Second
		w.SetFault(r, Repository, Stall, 0)
		w.SetProjectFault(p, ProjectJSON, Stall, 0)
		for _, path := range []string{"/repos/otter/kettle", "/pypi/kettle-lib/json"} {
			start := time.Now()
			a, err := get(c, "http://sim"+path)
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() || len(a.body) == 0 || time.Since(start) != c.Timeout {
				t.Errorf("%s: %q, %v, after %v", path, a.body, err, time.Since(start))
			}
		}
		w.SetFault(r, Repository, Slow(3*time.Second), 0)
		start := time.Now()
		if a, err := get(c, "http://sim/repos/otter/kettle"); err != nil || a.status != 200 || time.Since(start) != 3*time.Second {
			t.Errorf("slow: %d, %v, after %v", a.status, err, time.Since(start))
		}
		w.SetFault(r, Repository, Slow(time.Minute), 0)
		if _, err := get(c, "http://sim/repos/otter/kettle"); err == nil {
			t.Error("slower than the client's patience, but answered")
		}
	})
}

// Close aborts what is waiting, and leaves nothing running.
func TestCloseEndsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, _ := small(t, Options{})
		w.SetFault(r, Repository, Stall, 0)
		w.SetFault(r, CommitList, Slow(time.Hour), 0)
		l := w.Listen()
		var wg sync.WaitGroup
		for _, path := range []string{"/repos/otter/kettle", "/repos/otter/kettle/commits"} {
			wg.Go(func() {
				if _, err := get(client(w), "http://sim"+path); err == nil {
					t.Errorf("%s was answered", path)
				}
			})
		}
		wg.Go(func() {
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
		synctest.Wait()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if err := w.Close(); err != nil {
			t.Error("a second time:", err)
		}
		if _, err := l.DialContext(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if s := w.Stats(); s.GitHub.ByStatus["0"] != 1 || s.GitHub.ByStatus["200"] != 1 {
			t.Errorf("%+v", s.GitHub)
		}
	})
}

// In memory, too, no fault leaves a goroutine: goleak and the bubble check that.
func TestFaultsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r, _ := small(t, Options{AnonymousLimit: 1000})
		c := client(w)
		c.Timeout = time.Second
		for _, entry := range table {
			if entry.fault == GzipBomb {
				continue
			}
			w.SetFault(r, All, entry.fault, 1)
			_, _ = get(c, "http://sim/repos/otter/kettle")
			if a, err := get(c, "http://sim/repos/otter/kettle"); err != nil || a.status != 200 {
				t.Errorf("after %s: %d, %v", entry.fault, a.status, err)
			}
		}
	})
}

func TestTooManyInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := small(t, Options{Latency: time.Second, AnonymousLimit: 1000})
		c := client(w)
		var wg sync.WaitGroup
		for range maxInFlight + 3 {
			wg.Go(func() { _, _ = get(c, "http://sim/repos/otter/kettle") })
		}
		wg.Wait()
		if s := w.Stats(); s.ViolationKinds[TooManyInFlight] != 3 || s.GitHub.PeakInFlight != maxInFlight+3 {
			t.Errorf("%+v", s)
		}
	})
}

// Many clients while everything changes. This is for the race detector; besides, every
// answer must have a status.
func TestConcurrentUse(t *testing.T) {
	w := Generate(9, 60, Options{Limit: 1 << 30, AnonymousLimit: 1 << 30, NoSecondary: true})
	defer w.Close()
	c := client(w)
	repos, projects := w.Repos(), w.Projects()
	stop := make(chan struct{})
	var changing, asking sync.WaitGroup
	changing.Go(func() {
		d := roll(1)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			r, p := pick(&d, repos), pick(&d, projects)
			f := table[i%len(table)].fault
			if f == Stall || f == GzipBomb {
				f = NoFault
			}
			w.SetFault(r, pick(&d, []Endpoint{All, CommitList}), f, d.below(3))
			w.SetProjectFault(p, All, f, 1)
			w.Edit(func() {
				r.Stars++
				r.Commits = append(r.Commits, Commit{At: time.Now()})
				p.Summary = fmt.Sprint(i)
			})
			w.Rename(r.FullName, fmt.Sprintf("%s/moved-%d", r.Owner(), i))
			w.Advance(time.Hour)
			w.Catalogue()
			w.Stats()
			w.PathCounts()
			w.SetCounting(Counting{ByCommitDate: i%2 == 0})
			w.SetBatchLimits(i%3, 0)
			w.RepoTruth(r.ID, w.Now())
			if i%50 == 0 {
				w.ClearFaults()
				w.ResetStats()
			}
		}
	})
	for i := range 32 {
		asking.Go(func() {
			d := roll(2, uint64(i))
			for range 60 {
				path := fmt.Sprintf("/repositories/%d%s", pick(&d, repos).ID, pick(&d, []string{"", "/contributors", "/commits", "/stats/participation"}))
				switch d.below(5) {
				case 2:
					ids := []string{nextID(nodeRepository, pick(&d, repos).ID, ""), nextID(nodeRepository, pick(&d, repos).ID, "")}
					query := pick(&d, []string{sweep, counting})
					body := bytes.NewReader(marshal(map[string]any{"query": query, "variables": map[string]any{"ids": ids, "first": 3}}))
					req, _ := http.NewRequest("POST", "http://sim/graphql", body)
					req.Header.Set("Authorization", "Bearer one")
					if resp, err := w.Direct().RoundTrip(req); err == nil {
						resp.Body.Close()
					}
					continue
				case 0:
					path = "/pypi/" + Normalize(pick(&d, projects).Name) + "/json"
				case 1:
					path = "/simple/"
				}
				if a, err := get(c, "http://sim"+path); err == nil && a.status == 0 {
					t.Errorf("%s: no status", path)
				}
			}
		})
	}
	asking.Wait()
	close(stop)
	changing.Wait()
	w.ClearFaults()
	for _, r := range repos {
		if a, err := get(c, fmt.Sprintf("http://sim/repositories/%d", r.ID)); err != nil || a.status != 200 && a.status != 451 && a.status != 403 {
			t.Errorf("%s: %d, %v", r.FullName, a.status, err)
		}
	}
}

func TestListenServesAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(Options{})
		l := w.Listen()
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "hello") })}
		var wg sync.WaitGroup
		wg.Go(func() { _ = server.Serve(l) })
		transport := &http.Transport{DialContext: l.DialContext}
		a, err := get(&http.Client{Transport: transport}, "http://anything/")
		if err != nil || a.body != "hello" {
			t.Errorf("%q, %v", a.body, err)
		}
		transport.CloseIdleConnections()
		_ = w.Close()
		_ = server.Close()
		wg.Wait()
	})
}
