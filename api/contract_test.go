package api

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// contract is a case of testdata/cases.json or testdata/v3-cases.json: what a Django REST
// framework with the serializers of Django Packages, or Django Packages' own API v3,
// answered over testdata/records.json.
type contract struct {
	Name    string
	Request struct {
		Method, Path string
		Headers      map[string]string
	}
	Response struct {
		Status  int
		Headers map[string]string
		Body    string
	}
}

func contracts(t testing.TB) []contract {
	t.Helper()
	var all []contract
	for _, name := range []string{"testdata/cases.json", "testdata/v3-cases.json"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var cases []contract
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatal(err)
		}
		if len(cases) == 0 {
			t.Fatal(name + " holds no case")
		}
		all = append(all, cases...)
	}
	return all
}

func TestContract(t *testing.T) {
	checkContract(t, handler(t))
}

func TestContractOverTheStore(t *testing.T) {
	records, zone := documented(t)
	s := records.store(t, Options{Location: zone})
	h := newHandler(t, Options{Store: s, Location: zone})
	checkContract(t, h)
	if w := do(h, "GET", "/readyz"); w.Code != http.StatusOK {
		t.Errorf("/readyz over a synced store is %d %s", w.Code, w.Body)
	}
}

// store returns a store that holds the records.
func (f *fakeStore) store(t testing.TB, o Options) *store.Store {
	t.Helper()
	rendering := render.Rendering{Zone: o.Location, Base: o.PublicURL}
	s, err := store.Open(filepath.Join(t.TempDir(), "store.db"), store.Options{
		LockWait: time.Second, Refer: fetcher.Refer("github.com"), Render: render.New, Rendering: rendering.Name(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := record.Catalogue{Categories: f.categories, Grids: f.grids}
	for _, p := range f.packages {
		c.Packages = append(c.Packages, p.Entry)
	}
	if _, err := s.Import(c, f.packages, time.Now()); err != nil {
		t.Fatal(err)
	}
	return s
}

func checkContract(t *testing.T, h http.Handler) {
	const base = "http://example.com" // of httptest.NewRequest
	for _, c := range contracts(t) {
		t.Run(c.Name, func(t *testing.T) {
			var headers []string
			for name, value := range c.Request.Headers {
				headers = append(headers, name, value)
			}
			w := do(h, c.Request.Method, c.Request.Path, headers...)
			if w.Code != c.Response.Status {
				t.Errorf("status %d, want %d", w.Code, c.Response.Status)
			}
			want := strings.ReplaceAll(c.Response.Body, "{BASE}", base)
			if diff := cmp.Diff(want, w.Body.String()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			for name, want := range c.Response.Headers {
				got := w.Header().Get(name)
				switch name {
				case "Vary":
					if !strings.Contains(got, want) {
						t.Errorf("Vary is %q without %q", got, want)
					}
				case "Location":
					want = strings.ReplaceAll(want, "{BASE}", "")
					if got != want && got != base+want {
						t.Errorf("Location is %q, want %q", got, want)
					}
				default:
					if got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
			}
			length := w.Header().Get("Content-Length")
			if c.Request.Method != "HEAD" && length != strconv.Itoa(w.Body.Len()) {
				t.Errorf("Content-Length is %q for %d bytes", length, w.Body.Len())
			}
		})
	}
}

// TestHeadIsGet: HEAD answers as GET does, without the body.
func TestHeadIsGet(t *testing.T) {
	h := handler(t)
	for _, c := range contracts(t) {
		if c.Request.Method != "GET" {
			continue
		}
		var headers []string
		for name, value := range c.Request.Headers {
			headers = append(headers, name, value)
		}
		get := do(h, "GET", c.Request.Path, headers...)
		head := do(h, "HEAD", c.Request.Path, headers...)
		if head.Code != get.Code || head.Body.Len() != 0 {
			t.Errorf("%s: HEAD is %d with %d bytes, GET is %d", c.Request.Path, head.Code, head.Body.Len(), get.Code)
		}
		if diff := cmp.Diff(get.Header(), head.Header()); diff != "" {
			t.Errorf("%s: headers (-GET +HEAD):\n%s", c.Request.Path, diff)
		}
	}
}
