package importer

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// FuzzSnapshot: a file of any bytes is read to its end, or is an error for a person.
func FuzzSnapshot(f *testing.F) {
	f.Add([]byte("\n{\"last_fetched\":null,\"id\":1,\"slug\":\"a\"}\n{}\nnull"))
	f.Add([]byte("{\"commits_over_52\":[]}"))
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00\x99\xe9\xd8\x51"))
	f.Add([]byte(strings.Repeat(" ", 9000) + "{\"repo_watchers\":1}"))
	path := filepath.Join(f.TempDir(), "snapshot")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSnapshot(path)
		if err != nil {
			if s != nil || err.Error() == "" {
				t.Fatalf("%v and %v", s, err)
			}
			return
		}
		defer s.Close()
		s.StaleAfter = time.Hour
		c, err := s.Read(t.Context())
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
		if c != nil && c.Skipped > 0 && len(c.Problems) == 0 {
			t.Fatal("entries were skipped in silence")
		}
	})
}

// FuzzSite: a page of a site's list may be of any shape. What is wrong with it is told,
// and no link leads the walk away from the site.
func FuzzSite(f *testing.F) {
	f.Add(`{"count":1,"next":null,"results":[{"id":1}]}`)
	f.Add(`{"count":-1,"next":"","results":[null,7,"x"]}`)
	f.Add(`{"count":2,"next":"http://evil.test/","results":[{}]}`)
	f.Add(`{"count":2,"next":"?offset=%zz","results":[{"id":1,"slug":"a"},{"id":1,"slug":"b"}]}`)
	f.Add(`<html>`)
	f.Add(`{"meta":{"total_count":1,"next":null},"objects":[{"slug":"a"},null]}`)
	f.Add(`{"meta":{"total_count":9,"next":"//evil.test/"},"objects":[{"slug":"a","category":"/categories/x/"}]}`)
	f.Fuzz(func(t *testing.T, page string) {
		synctest.Test(t, func(t *testing.T) { // the walk waits between requests
			site := newFakeSite(t, 2)
			site.v3 = strings.Contains(page, "objects")
			site.fault = func(n int, r *http.Request) (*http.Response, error) {
				if r.URL.Host != "site.test" {
					t.Errorf("asked %s", r.URL)
				}
				if n > 20 {
					return nil, errors.New("this goes on for ever")
				}
				if strings.Contains(r.URL.Path, "/packages/") {
					return answer(200, "application/json", page), nil
				}
				return nil, nil
			}
			c, err := site.site(t).Read(t.Context())
			if (c == nil) == (err == nil) {
				t.Fatalf("%v and %v", c, err)
			}
		})
	})
}
