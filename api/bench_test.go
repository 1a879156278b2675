package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func benchmarkAPI(b *testing.B) *api {
	records, zone := documented(b)
	return &api{store: records, location: zone}
}

// BenchmarkPackage renders one record, without its lookup.
func BenchmarkPackage(b *testing.B) {
	a := benchmarkAPI(b)
	p := &a.store.(*fakeStore).packages[0]
	rq := &request{base: "https://example.com", tail: "/"}
	e := new(encoder)
	b.ReportAllocs()
	for b.Loop() {
		e.reset(0)
		if err := a.writePackage(e, rq, p); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(e.buf)))
}

// BenchmarkPage reads and writes a page of 20 records.
func BenchmarkPage(b *testing.B) {
	a := benchmarkAPI(b)
	a.store = a.store.(*fakeStore).store(b, Options{})
	rq := &request{base: "https://example.com", path: "/api/v4/packages/", tail: "/", query: parseQuery("limit=20&offset=20")}
	e := new(encoder)
	b.ReportAllocs()
	for b.Loop() {
		e.reset(0)
		if err := a.getPackages(e, rq); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(e.buf)))
}

// BenchmarkHandler answers whole requests, with the lookup in memory.
func BenchmarkHandler(b *testing.B) {
	h := handler(b)
	for _, target := range []string{
		"/api/v4/packages/djorm-ext-pgfulltext/", "/api/v4/packages/1609/?format=json", "/api/v4/packages/", "/livez",
	} {
		b.Run(target, func(b *testing.B) {
			r := httptest.NewRequest("GET", target, nil)
			r.Header.Set("Accept", "application/json")
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

func BenchmarkTime(b *testing.B) {
	_, zone := documented(b)
	t := time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendTime(buf[:0], t, zone)
	}
}
