package sim

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func BenchmarkGenerate(b *testing.B) {
	for _, n := range []int{5_500, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				Generate(1, n, Options{Now: noon})
			}
		})
	}
}

// paths are those of the four endpoints of each of many repositories.
func paths(w *World) (list []string) {
	for _, r := range w.Repos()[:500] {
		for _, part := range []string{"", "/contributors?per_page=100", "/commits?per_page=1", "/stats/participation"} {
			list = append(list, fmt.Sprintf("/repositories/%d%s", r.ID, part))
		}
	}
	return list
}

func bigWorld() *World {
	return Generate(1, 5500, Options{Now: noon, NoPending: true, Limit: 1 << 40, NoSecondary: true})
}

func BenchmarkHandler(b *testing.B) {
	w := bigWorld()
	list := paths(w)
	run := func(b *testing.B, between func(), tag bool) {
		rec := &discard{header: http.Header{}}
		i := 0
		for b.Loop() {
			req := httptest.NewRequest("GET", list[i%len(list)], nil)
			req.Header.Set("Authorization", "Bearer one")
			if tag {
				req.Header.Set("If-None-Match", "*")
			}
			clear(rec.header)
			w.Handler().ServeHTTP(rec, req)
			if i++; i%len(list) == 0 && between != nil {
				between()
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	}
	b.Run("cold", func(b *testing.B) { w.Edit(func() {}); run(b, func() { w.Edit(func() {}) }, false) })
	b.Run("warm", func(b *testing.B) { run(b, nil, false) })
	b.Run("unchanged", func(b *testing.B) { run(b, nil, true) })
}

func BenchmarkTransport(b *testing.B) {
	w := bigWorld()
	defer w.Close()
	list := paths(w)
	c := client(w)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			req, err := http.NewRequest("GET", "http://sim"+list[i%len(list)], nil)
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer one")
			resp, err := c.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkMillion measures requests to a world of a million packages, each of them about
// another repository than the last.
func BenchmarkMillion(b *testing.B) {
	now := noon()
	w := Generate(1, 1_000_000, Options{Now: func() time.Time { return now }, Limit: 1 << 40, PointLimit: 1 << 40, NoSecondary: true, NoPending: true})
	g := w.generated
	var repos []*Repo
	for i := 0; len(repos) < 20_000; i += 37 {
		if r := g.repo(i); r != nil && r.Blocked == "" {
			repos = append(repos, r)
		}
	}
	now = now.Add(300 * day)
	rec := &discard{header: http.Header{}}
	serve := func(req *http.Request) {
		req.Header.Set("Authorization", "Bearer one")
		clear(rec.header)
		w.Handler().ServeHTTP(rec, req)
	}
	for _, part := range []string{"", "/contributors?per_page=100", "/commits?per_page=1", "/stats/participation"} {
		b.Run("repository"+part, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				serve(httptest.NewRequest("GET", "/repos/"+repos[i%len(repos)].FullName+part, nil))
			}
		})
	}
	for name, query := range map[string]string{"sweep": sweep, "counting": counting} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				vars := map[string]any{"first": 10}
				if query == sweep {
					delete(vars, "first")
				}
				var ids []string
				for k := range 100 {
					ids = append(ids, repos[(i*100+k)%len(repos)].NodeID)
				}
				vars["ids"] = ids
				serve(httptest.NewRequest("POST", "/graphql", bytes.NewReader(marshal(map[string]any{"query": query, "variables": vars}))))
			}
		})
	}
	b.Run("index", func(b *testing.B) {
		for b.Loop() {
			req := httptest.NewRequest("GET", "/simple/", nil)
			req.Header.Set("Accept", simpleType)
			req.Header.Set("Accept-Encoding", "gzip")
			req.Header.Set("User-Agent", agent)
			clear(rec.header)
			w.Handler().ServeHTTP(rec, req)
			now = now.Add(time.Minute)
		}
	})
}
