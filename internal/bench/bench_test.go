package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// TestGenerate imports made-up packages: all are taken over, with what was
// fetched of them, none falls due, and made again they are the same.
func TestGenerate(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	g0 := groups{
		categories: []record.Category{{ID: 1, Slug: "apps"}, {ID: 2, Slug: "frameworks"}},
		grids:      []record.Grid{{ID: 5, Slug: "forms"}, {ID: 6, Slug: "search"}, {ID: 9, Slug: "cms"}},
	}
	const n = 300
	c := record.Catalogue{Categories: g0.categories, Grids: g0.grids}
	var recs, again []record.Package
	for i := range n {
		recs, again = append(recs, generate(i, g0, now)), append(again, generate(i, g0, now))
		c.Packages = append(c.Packages, recs[i].Entry)
	}
	if diff := cmp.Diff(recs, again); diff != "" {
		t.Errorf("made again:\n%s", diff)
	}
	st, err := store.Open(filepath.Join(t.TempDir(), "test.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	report, err := st.Import(c, recs, now)
	if err != nil || report.Added != n || report.Fetched != n {
		t.Fatalf("imported: %+v, %v; want %d added and fetched", report, err, n)
	}
	if due, _, err := st.Due(now.Add(keepFor), n, record.Order{}); err != nil || len(due) > 0 {
		t.Errorf("%d packages fall due while the store is kept (%v)", len(due), err)
	}
	participants := 0
	for i := range recs {
		participants += len(recs[i].Repo.Participants)
	}
	if mean := participants / n; mean < 9 || mean > 15 {
		t.Errorf("%d participants in the mean, want about 12", mean)
	}
}

// TestServeAnswer asks the bare server's handlers.
func TestServeAnswer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "snapshot")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := answer{Header: http.Header{"Etag": {`"1"`}, "Content-Type": {"application/json"}, "Vary": {"Accept"}, "Content-Length": {"4"}}, Body: []byte("body")}
	for _, test := range []struct {
		name    string
		answer  answer
		known   string // If-None-Match
		status  int
		body    string
		missing []string // in the header
	}{
		{"whole", kept, "", 200, "body", nil},
		{"another tag", kept, `"2"`, 200, "body", nil},
		{"known", kept, `"1"`, 304, "", []string{"Content-Type", "Content-Length"}},
		{"from a file", answer{Header: http.Header{"Content-Type": {"application/x-ndjson"}}, File: file}, "", 200, "from a file", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			if test.known != "" {
				r.Header.Set("If-None-Match", test.known)
			}
			w := httptest.NewRecorder()
			test.answer.serve(w, r)
			if w.Code != test.status || w.Body.String() != test.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, test.status, test.body)
			}
			want := test.answer.Header.Clone()
			for _, name := range test.missing {
				want.Del(name)
			}
			for name := range test.answer.Header {
				if diff := cmp.Diff(want.Values(name), w.Header().Values(name)); diff != "" {
					t.Errorf("%s:\n%s", name, diff)
				}
			}
		})
	}
}

// TestHeap reads what the runtime tells of collections, each once.
func TestHeap(t *testing.T) {
	const line = "gc 339 @39.714s 6%: 0.080+8.5+0.049 ms clock, 0.16+0.26/4.8/0+0.098 ms cpu, 35->40->24 MB, 41 MB goal, 0 MB stacks, 0 MB globals, 2 P\n"
	log := filepath.Join(t.TempDir(), "log")
	write := func(text string) {
		if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{process: &process{log: log}}
	write("{}\n" + line + strings.ReplaceAll(line, "35->40->24", "89->52->20"))
	if largest, live := d.heap(); largest != 89 || live != 24 {
		t.Errorf("%d, %d of it live; want 89 and 24", largest, live)
	}
	if largest, live := d.heap(); largest != 0 || live != 0 {
		t.Errorf("nothing new: %d, %d of it live; want 0 and 0", largest, live)
	}
}

// TestReport writes a report with a target met, one missed and one not measured.
func TestReport(t *testing.T) {
	c := comparison{name: "one package", ofBare: 0.8, ofNginx: 0.5}
	r := report{generator: "wrk", ready: 4 * time.Second, heap: 399, results: []result{{c, map[string][]float64{
		measured: {90, 70, 80}, bare: {100, 100, 100},
	}, map[string][]float64{measured: {2e-6}}}}}
	var out bytes.Buffer
	if err := r.write(&out, &bench{}); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"| one package | requests | 80 (70–90) | 100 (100–100) | – | 0.80 | – |",
		"| one package | request | 2.0 (2.0–2.0) | – | – |",
		"| one package, of bare net/http | 0.80 | ≥ 0.80 | met |",
		"| from the start to the first 200 of /readyz | 4s | < 3s | MISSED |",
		"| Go heap | 399 MiB | < 400 MiB | met |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
	if strings.Contains(text, "one package, of nginx") {
		t.Errorf("a verdict on what was not measured:\n%s", out.String())
	}
}
