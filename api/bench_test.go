package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"pkgmetad/internal/reads"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
)

func benchmarkAPI(b *testing.B) *api {
	records, zone := documented(b)
	return &api{store: records.store(b, Options{Location: zone}), location: zone, read: reads.New().Count}
}

// BenchmarkRender renders one record, as happens once for each that a pass changes.
func BenchmarkRender(b *testing.B) {
	records, zone := documented(b)
	template := render.Rendering{Zone: zone}.Template()
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = len(template(&records.packages[0]))
	}
	b.SetBytes(int64(size))
}

// BenchmarkPackage reads one record and writes it into a buffer.
func BenchmarkPackage(b *testing.B) {
	a := benchmarkAPI(b)
	rq := &request{links: render.Links{Base: "https://example.com", Suffix: "/"}, key: "1609"}
	e := new(render.Encoder)
	b.ReportAllocs()
	for b.Loop() {
		e.Reset(0)
		if err := a.getPackage(e, rq); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(e.Bytes())))
}

// BenchmarkPage reads a page of 20 records and writes it into a buffer.
func BenchmarkPage(b *testing.B) {
	a := benchmarkAPI(b)
	rq := &request{links: render.Links{Base: "https://example.com", Suffix: "/"}, path: "/api/v4/packages/", query: parseQuery("limit=20&offset=20")}
	e := new(render.Encoder)
	b.ReportAllocs()
	for b.Loop() {
		e.Reset(0)
		if err := a.getPackages(e, rq); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(e.Bytes())))
}

// BenchmarkList answers whole requests for 1,000 packages at once, each with 30 releases.
func BenchmarkList(b *testing.B) {
	records, zone := documented(b)
	example := records.packages[0]
	uploaded := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 30 {
		example.Project.Versions = append(example.Project.Versions, record.Version{Version: fmt.Sprint("1.", i), Uploaded: &uploaded})
	}
	records.packages = nil
	for id := range 1000 {
		p := example
		p.ID, p.Slug = id+1, fmt.Sprint("package-", id+1)
		p.RepoURL, p.PyPIURL = new("https://github.com/o/"+p.Slug), new("https://pypi.org/project/"+p.Slug)
		records.packages = append(records.packages, p)
	}
	h := newHandler(b, Options{Store: records.store(b, Options{Location: zone}), Location: zone})
	for _, version := range []string{"v4", "v3"} {
		b.Run(version, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/api/"+version+"/packages/?limit=1000", nil)
			b.ReportAllocs()
			for b.Loop() {
				w := discard{header: http.Header{}}
				h.ServeHTTP(&w, r)
				if w.status >= 400 {
					b.Fatal(w.status)
				}
			}
		})
	}
}

// discard is an http.ResponseWriter that keeps nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkHandler answers whole requests, without the wire.
func BenchmarkHandler(b *testing.B) {
	records, zone := documented(b)
	h := newHandler(b, Options{Store: records.store(b, Options{Location: zone}), Location: zone})
	for _, test := range []struct{ name, target, header, value string }{
		{"package", "/api/v4/packages/1609/", "Accept", "*/*"},
		{"slug", "/api/v4/packages/djorm-ext-pgfulltext/", "Accept", "*/*"},
		{"page", "/api/v4/packages/", "Accept", "*/*"},
		{"gzip", "/api/v4/packages/", "Accept-Encoding", "gzip"},
		{"unchanged", "/api/v4/packages/1609/", "If-None-Match", do(h, "GET", "/api/v4/packages/1609/").Header().Get("ETag")},
		{"v3", "/api/v3/packages/djorm-ext-pgfulltext/", "Accept", "*/*"},
		{"v3page", "/api/v3/packages/", "Accept", "*/*"},
		{"html", "/api/v4/packages/1609/", "Accept", "text/html"},
		{"livez", "/livez", "Accept", "*/*"},
	} {
		b.Run(test.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", test.target, nil)
			r.Header.Set(test.header, test.value)
			b.ReportAllocs()
			for b.Loop() {
				w := discard{header: http.Header{}}
				h.ServeHTTP(&w, r)
				if w.status >= 400 {
					b.Fatal(w.status)
				}
			}
		})
	}
}
