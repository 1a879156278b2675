package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// validated are paths of every kind of answer that carries validators.
var validated = []string{
	"/api/v4/packages/1609/", "/api/v4/packages/1609.json", "/api/v4/packages/djorm-ext-pgfulltext/?format=json",
	"/api/v4/packages/", "/api/v4/packages/?limit=5&offset=3", "/api/v4/grids/", "/api/v4/grids/58/", "/api/v4/categories/",
	"/api/v4/categories/1/", "/api/v4/",
}

func TestConditionalRequests(t *testing.T) {
	h := handler(t)
	for _, target := range validated {
		first := do(h, "GET", target)
		tag, modified := first.Header().Get("ETag"), first.Header().Get("Last-Modified")
		if !strings.HasPrefix(tag, `W/"`) || first.Header().Get("Cache-Control") != "public, no-cache" {
			t.Errorf("%s: ETag %q, Cache-Control %q", target, tag, first.Header().Get("Cache-Control"))
		}
		at, err := http.ParseTime(modified)
		if err != nil {
			t.Fatalf("%s: Last-Modified %q", target, modified)
		}
		strong := strings.TrimPrefix(tag, "W/")
		for _, test := range []struct {
			name, value string
			status      int
		}{
			{"If-None-Match", tag, 304},
			{"If-None-Match", strong, 304},
			{"If-None-Match", "*", 304},
			{"If-None-Match", `"x,y", W/"z" ,` + tag, 304},
			{"If-None-Match", `"x"`, 200},
			{"If-None-Match", strings.Trim(strong, `"`), 200},
			{"If-None-Match", `W/`, 200},
			{"If-None-Match", `"`, 200},
			{"If-Modified-Since", modified, 304},
			{"If-Modified-Since", at.Add(time.Hour).Format(http.TimeFormat), 304},
			{"If-Modified-Since", at.Format(time.RFC850), 304},
			{"If-Modified-Since", at.Add(-time.Second).Format(http.TimeFormat), 200},
			{"If-Modified-Since", "yesterday", 200},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				w := do(h, method, target, test.name, test.value)
				if w.Code != test.status {
					t.Errorf("%s %s, %s: %s is %d, want %d", method, target, test.name, test.value, w.Code, test.status)
				}
				if w.Code != 304 {
					continue
				}
				got := w.Header()
				if w.Body.Len() != 0 || got.Get("ETag") != tag || got.Get("Last-Modified") != modified || got.Get("Vary") == "" || got.Get("Content-Type") != "" {
					t.Errorf("%s: the 304 has %d bytes and %v", target, w.Body.Len(), got)
				}
			}
		}
		// The tags say more than the date.
		if w := do(h, "GET", target, "If-None-Match", `"x"`, "If-Modified-Since", modified); w.Code != 200 {
			t.Errorf("%s: by the date although the tag is another: %d", target, w.Code)
		}
		if w := do(h, "OPTIONS", target, "If-None-Match", tag); w.Code != 200 || w.Header().Get("ETag") != "" {
			t.Errorf("OPTIONS %s: %d with ETag %q", target, w.Code, w.Header().Get("ETag"))
		}
	}
	for _, target := range []string{"/api/v4/packages/nobody/", "/api/v4/nothing"} {
		if w := do(h, "GET", target, "If-None-Match", "*"); w.Code != 404 || w.Header().Get("ETag") != "" {
			t.Errorf("%s: %d with ETag %q", target, w.Code, w.Header().Get("ETag"))
		}
	}
}

// TestLastModified: a package's is when it last changed, a list's when anything did.
func TestLastModified(t *testing.T) {
	h := handler(t)
	for target, want := range map[string]string{ // the next whole second
		"/api/v4/packages/1609/": "Sun, 15 Feb 2026 01:02:04 GMT", "/api/v4/packages/": "Mon, 16 Feb 2026 01:02:04 GMT", "/api/v4/grids/58/": "Mon, 16 Feb 2026 01:02:04 GMT",
	} {
		if got := do(h, "GET", target).Header().Get("Last-Modified"); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestPagesChanged: a page is not older than the settings that shape it, so that
// no date proves that a client knows it. Records by themselves keep their dates.
func TestPagesChanged(t *testing.T) {
	records, zone := documented(t)
	later := fakeChanged.Add(time.Hour).Truncate(time.Second)
	for target, paged := range map[string]bool{
		"/api/v4/packages/": true, "/api/v4/packages/?limit=5": true, "/api/v4/grids/": true, "/api/v4/categories/": true,
		changesPath: true, "/api/v4/packages/1609/": false, "/api/v4/grids/58/": false, "/api/v4/categories/1/": false,
	} {
		before := do(newHandler(t, Options{Store: records, Location: zone}), "GET", target).Header().Get("Last-Modified")
		h := newHandler(t, Options{Store: records, Location: zone, PagesChanged: later})
		w := do(h, "GET", target, "If-Modified-Since", before)
		if paged && (w.Code != 200 || w.Header().Get("Last-Modified") != later.Format(http.TimeFormat)) || !paged && w.Code != 304 {
			t.Errorf("%s: %d, Last-Modified %s, before it was %s", target, w.Code, w.Header().Get("Last-Modified"), before)
		}
		h = newHandler(t, Options{Store: records, Location: zone, PagesChanged: fakeChanged.AddDate(-1, 0, 0)})
		if w := do(h, "GET", target, "If-Modified-Since", before); w.Code != 304 {
			t.Errorf("%s: %d although the settings changed long before the records", target, w.Code)
		}
	}
}

// TestTwoChangesInASecond: no date proves that the client knows the second one,
// nor does any while the clock is behind the last change.
func TestTwoChangesInASecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(path, store.Options{Refer: fetcher.Refer("github.com"), Render: render.New, Rendering: render.Rendering{}.Name()})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		h := newHandler(t, Options{Store: s})
		title := ""
		change := func() {
			title += "a"
			c := record.Catalogue{Packages: []record.Entry{{Slug: "a", Title: title}}}
			if _, err := s.SyncCatalogue(c, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(since string) (status int, modified string) {
			w := do(h, "GET", "/api/v4/packages/a/", "If-Modified-Since", since)
			at, err := http.ParseTime(w.Header().Get("Last-Modified"))
			if err != nil || at.After(time.Now()) {
				t.Errorf("Last-Modified is %v at %v, %v", at, time.Now(), err)
			}
			return w.Code, w.Header().Get("Last-Modified")
		}
		change()
		time.Sleep(10*time.Second + 200*time.Millisecond)
		for range 3 {
			_, known := ask("")
			change()
			if status, _ := ask(known); status != 200 {
				t.Errorf("after a change it is %d", status)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		_, known := ask("")
		if status, _ := ask(known); status != 304 {
			t.Errorf("without a change it is %d", status)
		}
		change()
		if status, _ := ask(known); status != 200 {
			t.Errorf("after a change it is %d", status)
		}
	})
}

// TestTagsFollowTheContent: another content has another tag, the same content
// the same one after a restart.
func TestTagsFollowTheContent(t *testing.T) {
	records, zone := documented(t)
	tag := func(r *fakeStore, target string) string {
		return do(newHandler(t, Options{Store: r, Location: zone}), "GET", target).Header().Get("ETag")
	}
	before := make(map[string]string)
	for _, target := range validated {
		before[target] = tag(records, target)
		if again := tag(records, target); again != before[target] {
			t.Errorf("%s: %s, then %s", target, before[target], again)
		}
	}
	for i := range records.packages {
		records.packages[i].Repo.Stars++
	}
	for _, target := range validated {
		changed := strings.Contains(target, "packages")
		if (tag(records, target) != before[target]) != changed {
			t.Errorf("%s: the tag did not follow the content", target)
		}
	}
}

func TestGzip(t *testing.T) {
	h := handler(t)
	for _, test := range []struct {
		accept string
		zipped bool
	}{
		{"gzip", true}, {"GZIP", true}, {"br, gzip;q=0.5", true}, {"*", true}, {"deflate, *;q=0.1", true}, {" gzip ; Q=1.0 ", true},
		{"", false}, {"identity", false}, {"gzip;q=0", false}, {"*, gzip;q=0", false}, {"gzip;q=0, *", false}, {"gzip;q=x", false}, {"gzipped", false},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			plain := do(h, "GET", "/api/v4/packages/")
			w := do(h, method, "/api/v4/packages/", "Accept-Encoding", test.accept)
			if got := w.Header().Get("Content-Encoding") == "gzip"; got != test.zipped {
				t.Errorf("%s with %q: %q", method, test.accept, w.Header().Get("Content-Encoding"))
			}
			if w.Header().Get("ETag") != plain.Header().Get("ETag") || !strings.Contains(w.Header().Get("Vary"), "Accept-Encoding") {
				t.Errorf("with %q: ETag %s, Vary %s", test.accept, w.Header().Get("ETag"), w.Header().Get("Vary"))
			}
			if method == "GET" && test.zipped && !bytes.Equal(unzip(t, w.Body), plain.Body.Bytes()) {
				t.Errorf("with %q: another body", test.accept)
			}
		}
	}
	if w := do(h, "GET", "/api/v4/", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
}

func unzip(t testing.TB, r io.Reader) []byte {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func FuzzConditional(f *testing.F) {
	f.Add(`W/"1", "2"`, "Mon, 16 Feb 2026 01:02:03 GMT", "gzip;q=0.5, *;q=0")
	f.Add(`*`, "x", ",;q=")
	h := handler(f)
	f.Fuzz(func(t *testing.T, tags, since, encoding string) {
		w := do(h, "GET", "/api/v4/packages/1609/", "If-None-Match", tags, "If-Modified-Since", since, "Accept-Encoding", encoding)
		if w.Code != 200 && w.Code != 304 {
			t.Fatal(w.Code)
		}
		if w.Code == 200 && w.Header().Get("Content-Encoding") == "" && w.Body.Len() < 500 {
			t.Fatalf("%d bytes", w.Body.Len())
		}
	})
}
