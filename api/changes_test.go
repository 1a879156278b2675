package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/snapshot"
	"pkgmetad/store"
)

// feed is an answer of the feed.
type feed struct {
	Next    uint64
	More    bool
	Changes []struct {
		Sequence uint64
		Kind     string
		ID       int
		At       time.Time
		Slug     string
		Record   json.RawMessage
	}
}

func changesSince(t testing.TB, h http.Handler, since uint64, rest string) (f feed, status int) {
	t.Helper()
	w := do(h, "GET", fmt.Sprint(changesPath, "?since=", since, rest))
	if w.Code == 200 {
		if err := json.Unmarshal(w.Body.Bytes(), &f); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
	}
	return f, w.Code
}

func TestChanges(t *testing.T) {
	h, s, _ := withSnapshot(t)
	all, _ := changesSince(t, h, 0, "")
	if len(all.Changes) != 46 || all.More || all.Next != s.Sequence() {
		t.Fatalf("%d changes, more %t, next %d of %d", len(all.Changes), all.More, all.Next, s.Sequence())
	}
	for _, c := range all.Changes {
		served := do(h, "GET", fmt.Sprint("/api/v4/packages/", c.ID, "/")).Body.String()
		if c.Kind != "upsert" || string(c.Record) != served || c.At.IsZero() {
			t.Errorf("change %d is a %s of\n%s, served is\n%s", c.Sequence, c.Kind, c.Record, served)
		}
	}
	some, _ := changesSince(t, h, all.Changes[4].Sequence, "&limit=3")
	if len(some.Changes) != 3 || !some.More || some.Next != all.Changes[7].Sequence || some.Changes[0].ID != all.Changes[5].ID {
		t.Errorf("three from the fifth on: %+v", some)
	}
	if end, _ := changesSince(t, h, all.Next, ""); len(end.Changes) != 0 || end.More || end.Next != all.Next {
		t.Errorf("at the end: %+v", end)
	}

	if _, err := s.SyncCatalogue(record.Catalogue{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	gone, _ := changesSince(t, h, all.Next, "&limit=100")
	var deleted []string
	for _, c := range gone.Changes {
		if c.Kind != "delete" || string(c.Record) != "null" || c.Slug == "" {
			t.Errorf("%+v", c)
		}
		deleted = append(deleted, c.Slug)
	}
	if len(deleted) != 46 {
		t.Errorf("%d deletions: %v", len(deleted), deleted)
	}
}

func TestChangesParameters(t *testing.T) {
	h, s, _ := withSnapshot(t)
	last := s.Sequence()
	for _, test := range []struct {
		query  string
		status int
		part   string
	}{
		{"", 200, `"next":`},
		{"since=", 200, `"next":`},
		{"since=0&limit=0", 200, `"next":`},
		{"since=0&wait=99999", 200, `"next":`}, // there is something: nobody waits
		{fmt.Sprint("since=", last), 200, `"changes":[]`},
		{fmt.Sprint("since=", last+1), 410, snapshotPath},
		{"since=1", 410, "since=0"},
		{"since=-1", 400, "since"},
		{"since=x", 400, "since"},
		{"since=1.5", 400, "since"},
		{"since=99999999999999999999", 400, "since"},
		{"since=0&limit=-1", 400, "limit"},
		{"since=0&wait=soon", 400, "wait"},
		{"since=0&format=xml", 404, "Not found"},
		{"since=0&format=json", 200, `"next":`},
	} {
		w := do(h, "GET", changesPath+"?"+test.query)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.part) {
			t.Errorf("%s: %d %.200s, want %d with %s", test.query, w.Code, w.Body, test.status, test.part)
		}
	}
	capped := newHandler(t, Options{Store: s, MaxLimit: 2})
	if f, _ := changesSince(t, capped, 0, "&limit=50"); len(f.Changes) != 2 || !f.More {
		t.Errorf("capped: %d changes, more %t", len(f.Changes), f.More)
	}
	if w := do(h, "POST", changesPath); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
	if w := do(h, "GET", strings.TrimSuffix(changesPath, "/")+"?since=5"); w.Code != 301 || w.Header().Get("Location") != "/changes/?since=5" {
		t.Errorf("without its slash: %d to %s", w.Code, w.Header().Get("Location"))
	}
}

// TestWaitForChanges: the answer is held until something changes or the time is
// over, beyond the deadlines of other answers, and not beyond a stop.
func TestWaitForChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(path, store.Options{Refer: fetcher.Refer("github.com"), Render: render.New, Rendering: render.Rendering{}.Name()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		l := newPipeListener()
		ctx, stop := context.WithCancel(t.Context())
		server := NewServer(ServerOptions{Handler: newHandler(t, Options{Store: s}), Log: zerolog.Nop(), Context: ctx, MaxConnections: 10})
		go server.Serve(l)
		defer server.Shutdown(t.Context())
		ask := func(wait int) (f feed, took time.Duration) {
			conn := l.dial()
			defer conn.Close()
			start := time.Now()
			go fmt.Fprintf(conn, "GET %s?since=%d&wait=%d HTTP/1.1\r\nHost: h\r\n\r\n", changesPath, s.Sequence(), wait)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("after %s: %v", time.Since(start), err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || json.Unmarshal(body, &f) != nil {
				t.Fatalf("%s, %v", body, err)
			}
			return f, time.Since(start)
		}
		for wait, want := range map[int]time.Duration{0: 0, 7: 7 * time.Second, 45: 45 * time.Second, 600: time.Minute} {
			if f, took := ask(wait); took != want || len(f.Changes) != 0 || f.Next != s.Sequence() {
				t.Errorf("wait=%d took %s: %+v", wait, took, f)
			}
		}
		go func() {
			time.Sleep(40 * time.Second)
			s.SyncCatalogue(record.Catalogue{Packages: []record.Entry{{Slug: "new"}}}, time.Now())
		}()
		if f, took := ask(60); took != 40*time.Second || len(f.Changes) != 1 {
			t.Errorf("it took %s: %+v", took, f)
		}
		go func() {
			time.Sleep(20 * time.Second)
			stop()
		}()
		if f, took := ask(60); took != 20*time.Second || len(f.Changes) != 0 {
			t.Errorf("at a stop it took %s: %+v", took, f)
		}
	})
}

// mirror is a copy that another service keeps by the snapshot and the feed.
type mirror struct {
	since     uint64
	records   map[int]string
	snapshots int
}

func (m *mirror) takeSnapshot(t *testing.T, h http.Handler) {
	t.Helper()
	w := do(h, "GET", snapshotPath)
	if w.Code != 200 {
		t.Fatalf("the snapshot is %d %s", w.Code, w.Body)
	}
	m.snapshots++
	m.records = map[int]string{}
	for line := range strings.Lines(w.Body.String()) {
		var p struct{ ID int }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		m.records[p.ID] = strings.TrimSuffix(line, "\n")
	}
	if _, err := fmt.Sscan(w.Header().Get(sequenceHeader), &m.since); err != nil {
		t.Fatal(err)
	}
}

func (m *mirror) follow(t *testing.T, h http.Handler, random *rand.Rand, steps int) (atEnd bool) {
	t.Helper()
	for range steps {
		f, status := changesSince(t, h, m.since, fmt.Sprint("&limit=", 1+random.IntN(9)))
		if status == http.StatusGone {
			m.takeSnapshot(t, h)
			continue
		}
		if status != 200 {
			t.Fatalf("the feed is %d", status)
		}
		for _, c := range f.Changes {
			if c.Kind == "delete" {
				delete(m.records, c.ID)
			} else {
				m.records[c.ID] = string(c.Record)
			}
		}
		if m.since = f.Next; !f.More {
			return true
		}
	}
	return false
}

// TestMirrors: whoever follows snapshot and feed ends with exactly what is
// served, whatever passes, deletions and restarts lie between.
func TestMirrors(t *testing.T) {
	began := 0
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			folder := t.TempDir()
			var s *store.Store
			var kept *snapshot.Follower
			var h http.Handler
			start := func() {
				var err error
				if s, err = store.Open(filepath.Join(folder, "store.db"), store.Options{Refer: fetcher.Refer("github.com"), Render: render.New, Rendering: render.Rendering{}.Name()}); err != nil {
					t.Fatal(err)
				}
				kept = snapshotsOf(t, filepath.Join(folder, "snapshots"), s)
				h = newHandler(t, Options{Store: s, Snapshots: kept})
			}
			start()
			defer func() { s.Close() }()
			served := func() map[int]string {
				all := map[int]string{}
				recs, _, err := s.Packages(0, 1000)
				if err != nil {
					t.Fatal(err)
				}
				for _, rec := range recs {
					all[rec.ID] = do(h, "GET", fmt.Sprint("/api/v4/packages/", rec.ID, "/")).Body.String()
				}
				return all
			}
			var mirrors []*mirror
			for range 100 {
				switch n := random.IntN(10); {
				case n == 0: // a restart
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					start()
				case n == 1:
					if err := s.Forget(time.Now().Add(time.Hour)); err != nil {
						t.Fatal(err)
					}
				case n < 5: // another catalogue
					var c record.Catalogue
					for id := 1; id <= 15; id++ {
						if random.IntN(3) > 0 {
							c.Packages = append(c.Packages, record.Entry{ID: id, Slug: fmt.Sprint("p", id), Title: fmt.Sprint("T", random.IntN(3))})
						}
					}
					if _, err := s.SyncCatalogue(c, time.Now()); err != nil {
						t.Fatal(err)
					}
				default: // what was fetched of them
					recs, _, err := s.Packages(0, 1000)
					if err != nil {
						t.Fatal(err)
					}
					var c record.Catalogue
					for i := range recs {
						recs[i].Repo.Stars = random.IntN(3)
						c.Packages = append(c.Packages, recs[i].Entry)
					}
					if _, err := s.Import(c, recs, time.Now()); err != nil {
						t.Fatal(err)
					}
				}
				if random.IntN(2) == 0 {
					if err := kept.Make(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if _, ok := kept.Latest(); ok && random.IntN(10) == 0 {
					m := &mirror{}
					m.takeSnapshot(t, h)
					mirrors = append(mirrors, m)
				}
				for _, m := range mirrors {
					if random.IntN(3) == 0 && m.follow(t, h, random, 1+random.IntN(4)) {
						if diff := cmp.Diff(served(), m.records); diff != "" {
							t.Fatalf("the mirror (-served +mirrored):\n%s", diff)
						}
					}
				}
			}
			if err := kept.Make(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, m := range mirrors {
				for !m.follow(t, h, random, 1) {
				}
				if diff := cmp.Diff(served(), m.records); diff != "" {
					t.Fatalf("the mirror at the end (-served +mirrored):\n%s", diff)
				}
				began += m.snapshots - 1
			}
		})
	}
	if began == 0 {
		t.Error("no mirror ever had to begin again")
	}
}

// FuzzChanges: whatever is asked of the feed, the answer is no failure.
func FuzzChanges(f *testing.F) {
	f.Add("0", "3", "")
	f.Add("99999999999999999999", "+5", "0")
	f.Add("-1", "\xff", "x")
	h, _, _ := withSnapshot(f)
	f.Fuzz(func(t *testing.T, since, limit, wait string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody waits for the answer
		r := httptest.NewRequest("GET", changesPath, nil).WithContext(ctx)
		r.URL.RawQuery = url.Values{"since": {since}, "limit": {limit}, "wait": {wait}}.Encode()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

// TestTooManyWait: who cannot wait any more is told so, and all else is answered.
func TestTooManyWait(t *testing.T) {
	records, _ := documented(t)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Options{Store: records, MaxWaits: 2})
		target := fmt.Sprint(changesPath, "?wait=60&since=", records.Sequence())
		var waiting sync.WaitGroup
		for range 2 {
			waiting.Go(func() {
				if w := do(h, "GET", target); w.Code != 200 {
					t.Errorf("it is %d %s", w.Code, w.Body)
				}
			})
		}
		synctest.Wait()
		if w := do(h, "GET", target); w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("the third is %d %v", w.Code, w.Header())
		}
		if w := do(h, "GET", strings.Replace(target, "wait=60", "wait=0", 1)); w.Code != 200 {
			t.Errorf("without waiting it is %d", w.Code)
		}
		waiting.Wait()
		if w := do(h, "GET", target); w.Code != 200 {
			t.Errorf("later it is %d", w.Code)
		}
	})
}
