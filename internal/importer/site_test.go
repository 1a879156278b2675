package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pkgmetad/internal/record"
)

// same compares what two collections hold.
func same(t *testing.T, want, got *Collection) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Zone{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestReadSite(t *testing.T) {
	f := newFakeSite(t, 7)
	var progress []string
	s := f.site(t)
	s.Progress = func(list string, done, count int) { progress = append(progress, fmt.Sprint(list, done, "/", count)) }
	got, err := s.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"categories1/1", "grids2/2", "packages3/7", "packages6/7", "packages7/7"}; !slices.Equal(progress, want) {
		t.Errorf("progress %q, want %q", progress, want)
	}
	if len(f.requests) != 6 || f.requests[0] != root || f.requests[5] != root+"packages/?limit=3&offset=6" {
		t.Errorf("it asked for %q", f.requests)
	}
	time5 := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return at.UTC()
	}
	text := func(s string) *string { return &s }
	updated, fetched := time5("1996-01-05T19:49:29Z"), time5("1999-02-16T01:01:26.546801Z")
	ok := record.Status{State: record.StateOK, LastAttempt: fetched, LastSuccess: fetched, NextDue: fetched.Add(24 * time.Hour)}
	want := record.Package{
		Entry:   record.Entry{ID: 1, Slug: "p1", Title: "Package 1", Category: 1, Grids: []int{2, 1}, RepoURL: text("https://github.com/a/b"), PyPIURL: text(""), Created: time5("1992-12-26T09:29:30.670172Z")},
		Repo:    record.Repo{Stars: 251, Forks: 85, Description: "d", Participants: []string{"x", "y"}, Commits52: []int{0, 2}, LastCommit: &updated},
		Project: record.Project{Version: text("0.10")}, GitHub: ok, PyPI: ok,
		Modified: time5("1999-01-28T19:51:38.364173Z"), LastFetched: fetched,
	}
	if diff := cmp.Diff(want, got.Records[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got.Records) != 7 || len(got.Problems)+len(got.Warnings)+got.Skipped+got.Dropped != 0 || got.Zone.String() != "America/New_York" {
		t.Errorf("%d records, %q, %q, %s", len(got.Records), got.Problems, got.Warnings, &got.Zone)
	}
	if c := got.Catalogue(); len(c.Packages) != 7 || c.Grids[0].ID != 1 || c.Grids[1].Slug != "g2" || !c.Categories[0].ShowPyPI || !c.Grids[0].Header {
		t.Errorf("the catalogue is %+v", c)
	}
}

// TestWaits: which errors a walk waits for, how long, and when it gives up.
func TestWaits(t *testing.T) {
	eachAPI(t, func(t *testing.T, fake func(*testing.T, int) *fakeSite) {
		refuse := func(status int, headers ...string) func() (*http.Response, error) {
			return func() (*http.Response, error) { return answer(status, "text/html", "busy", headers...), nil }
		}
		broken := func(err error) func() (*http.Response, error) {
			return func() (*http.Response, error) { return nil, err }
		}
		for _, test := range []struct {
			name     string
			fault    func() (*http.Response, error)
			times    int           // that the third request fails
			min, max time.Duration // that it takes
			err      string
		}{
			{"429 with seconds", refuse(429, "Retry-After", "90"), 2, 180 * time.Second, 180 * time.Second, ""},
			{"503 with a date", refuse(503, "Retry-After", "Sat, 01 Jan 2000 00:05:00 GMT"), 1, 5 * time.Minute, 5 * time.Minute, ""},
			{"429 without", refuse(429), 3, 1, 7 * time.Second, ""},
			{"a date that is past", refuse(500, "Retry-After", "Fri, 31 Dec 1999 00:05:00 GMT"), 1, 0, 0, ""},
			{"an absurd wait", refuse(429, "Retry-After", "86400"), 1, 0, 0, "not before 2000-01-01T01:00:00Z"},
			{"500 for ever", refuse(500), 100, 1, 127 * time.Second, "the site failed (HTTP 500)"},
			{"502 a while", refuse(502), 5, 1, 31 * time.Second, ""},
			{"reset", broken(io.ErrUnexpectedEOF), 2, 1, 3 * time.Second, ""},
			{"half a body", func() (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(io.MultiReader(strings.NewReader(`{"cou`), errReader{io.ErrUnexpectedEOF}))}, nil
			}, 1, 0, time.Second, ""},
			{"no such host", broken(&net.DNSError{Name: "site.test", IsNotFound: true}), 1, 0, 0, "the name site.test could not be resolved"},
			{"404", refuse(404), 1, 0, 0, "Not Found (HTTP 404)"},
			{"403", refuse(403), 1, 0, 0, "(HTTP 403)"},
		} {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // it is 2000-01-01T00:00:00Z
					f := fake(t, 1)
					f.fault = func(n int, _ *http.Request) (*http.Response, error) {
						if n < 3 || n >= 3+test.times {
							return nil, nil
						}
						return test.fault()
					}
					s := f.site(t)
					notes := 0
					s.Note = func(string) { notes++ }
					start := time.Now()
					c, err := s.Read(t.Context())
					took := time.Since(start)
					if took < test.min || took > test.max {
						t.Errorf("it took %s, want %s to %s", took, test.min, test.max)
					}
					if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
						t.Errorf("error %v, want %q", err, test.err)
					}
					if err == nil && len(c.Records) != 1 {
						t.Errorf("%d records", len(c.Records))
					}
					if took > 3*time.Minute && notes == 0 {
						t.Error("it waited without a note")
					}
					// After all that breaks a walk off, the next run goes on; after an
					// answer that refuses it, it does not.
					f.fault = nil
					before := len(f.requests)
					if c, err := s.Read(t.Context()); err != nil || len(c.Records) != 1 {
						t.Errorf("the next run: %v", err)
					}
					refused := test.name == "404" || test.name == "403"
					if anew := slices.Contains(f.requests[before:], s.Root); test.err != "" && anew != refused {
						t.Errorf("that the next run started anew is %t", anew)
					}
				})
			})
		}
	})
}

// TestDeadAddress: who imports from an address where nothing answers is told so at once, until
// when it is tried, and at last that it was given up.
func TestDeadAddress(t *testing.T) {
	for _, test := range []struct {
		name  string
		takes time.Duration // each try
	}{{"refused", 0}, {"silent", 50 * time.Second}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeSite(t, 1)
				f.fault = func(int, *http.Request) (*http.Response, error) {
					time.Sleep(test.takes)
					return nil, syscall.ECONNREFUSED
				}
				s := f.site(t)
				var notes []string
				began := time.Now()
				s.Note = func(sentence string) {
					if len(notes) == 0 {
						if waited := time.Since(began); waited > test.takes {
							t.Errorf("the first note comes after %s", waited)
						}
						until := time.Now().Add(2 * time.Minute).Format(time.TimeOnly)
						if want := "GET " + root + ": connection refused; trying again until " + until + ", Ctrl-C ends it"; sentence != want {
							t.Errorf("the first note is %q, want %q", sentence, want)
						}
					}
					notes = append(notes, sentence)
				}
				_, err := s.Read(t.Context())
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("connection refused; gave up after %d tries: run the same command again", len(f.requests))) {
					t.Errorf("after %d tries: %v", len(f.requests), err)
				}
				if len(notes) == 0 {
					t.Error("nothing was noted")
				}
				if _, err := os.Stat(s.Spool); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("there is nothing to resume, and yet a folder: %v", err)
				}
				if last := f.times[len(f.times)-1].Sub(began) - test.takes; last > 2*time.Minute {
					t.Errorf("it was tried again after %s", last)
				}
			})
		})
	}
}

// TestDeadAddressIsLeftAtOnce: Ctrl-C does not wait for the next try.
func TestDeadAddressIsLeftAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSite(t, 1)
		f.fault = func(int, *http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }
		s := f.site(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.Note = func(string) { cancel() }
		began := time.Now()
		if _, err := s.Read(ctx); err == nil || err.Error() != "stopped; run the same command again to resume" || time.Since(began) > 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if len(f.requests) != 1 {
			t.Errorf("it was asked %d times", len(f.requests))
		}
		// Nothing had arrived, so that there is nothing to resume, and nothing to discard.
		f.fault, s.Note = nil, func(sentence string) { t.Errorf("the next import notes %q", sentence) }
		if _, err := s.Read(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// TestRefusals: a site that is not of this API is reported, and links away from it are
// not followed.
func TestRefusals(t *testing.T) {
	list := func(next any, results ...entry) *http.Response {
		return answerJSON(map[string]any{"count": 100, "next": next, "results": append([]entry{}, results...)})
	}
	for _, test := range []struct {
		name string
		at   int // the request that gets it
		resp func() *http.Response
		err  string
	}{
		{"HTML", 1, func() *http.Response { return answer(200, "text/html; charset=utf-8", "<!doctype html>") }, `the answer is "text/html; charset=utf-8", not JSON; it starts with "<!doctype html>"; name the root`},
		{"404", 1, func() *http.Response { return answer(404, "text/html", "") }, "Not Found (HTTP 404); name the root of an API like https://djangopackages.org/api/v4/"},
		{"a list", 1, func() *http.Response { return list(nil) }, `has no links to packages, grids and categories; it starts with "{\"count\":100`},
		{"an array", 1, func() *http.Response { return answerJSON([]int{1}) }, `starts with "[1]"`},
		{"broken JSON", 1, func() *http.Response { return answer(200, "application/json", `{"packages":`) }, `starts with "{\"packages\":"`},
		{"foreign lists", 1, func() *http.Response {
			return answerJSON(map[string]string{"packages": "https://evil.test/", "grids": "https://evil.test/", "categories": "https://evil.test/"})
		}, `its link "https://evil.test/" leads to another host than site.test and was not followed; if`},
		{"redirect elsewhere", 1, func() *http.Response { return answer(302, "text/html", "", "Location", "https://evil.test/") }, "the answer redirects to https://evil.test, away from the configured https://site.test"},
		{"foreign next", 2, func() *http.Response { return list("https://evil.test/api/v4/categories/?offset=3", aCategory(1)) }, "was not followed"},
		{"another port", 2, func() *http.Response { return list("https://site.test:8443/api/v4/categories/?offset=3", aCategory(1)) }, "was not followed"},
		{"no web", 2, func() *http.Response { return list("file:///etc/passwd", aCategory(1)) }, "was not followed"},
		{"a password", 2, func() *http.Response { return list("https://u:p@site.test/", aCategory(1)) }, "was not followed"},
		{"loop", 2, func() *http.Response { return list(root+"categories/?limit=100", aCategory(1)) }, "the links from page to page lead back to this one"},
		{"no end", 2, func() *http.Response { return list(root + "categories/?offset=3") }, "has no entries but links to a next one"},
		{"no count", 2, func() *http.Response { return answerJSON(map[string]any{"results": []int{}}) }, "is not a page of a list"},
		{"no results", 2, func() *http.Response { return answerJSON(map[string]any{"count": 1, "results": nil}) }, "is not a page of a list"},
		{"too large", 2, func() *http.Response {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(zeros{})}
		}, "larger than 64 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeSite(t, 1)
			f.fault = func(n int, r *http.Request) (*http.Response, error) {
				if r.URL.Host != "site.test" {
					t.Errorf("%s was asked for", r.URL)
				}
				if n != test.at {
					return nil, nil
				}
				return test.resp(), nil
			}
			s := f.site(t)
			if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
			if len(f.requests) > 3 {
				t.Errorf("it was tried again: %q", f.requests)
			}
			// The site is put right, and nothing of what it was is kept.
			f.fault = nil
			before := len(f.requests)
			if c, err := s.Read(t.Context()); err != nil || len(c.Records) != 1 || !slices.Contains(f.requests[before:], root) {
				t.Errorf("the next run: %v, after %q", err, f.requests[before:])
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestSchemeOfLinks: a site behind a proxy may link to http, and is never asked in the clear.
func TestSchemeOfLinks(t *testing.T) {
	for _, base := range []string{"http://site.test", "http://site.test:80", "https://site.test:443", "https://SITE.test"} {
		f := newFakeSite(t, 7)
		f.linkBase = base
		c, err := f.site(t).Read(t.Context())
		if err != nil || len(c.Records) != 7 {
			t.Errorf("%s: %v", base, err)
		}
		for _, r := range f.requests {
			if !strings.HasPrefix(r, root) {
				t.Errorf("%s: it asked for %s", base, r)
			}
		}
	}
}

// TestLinksElsewhere: where the links of a site carry another address than the one
// given, the error says what to do, and the next run reads the corrected site.
func TestLinksElsewhere(t *testing.T) {
	f := newFakeSite(t, 7)
	f.linkBase = "https://public.test"
	s := f.site(t)
	_, err := s.Read(t.Context())
	if want := `GET https://site.test/api/v4/: its link "https://public.test/api/v4/categories/" leads to another host than site.test and was not followed; ` +
		"if both hosts are the same service, import from the address in its links, https://public.test/api/v4/, or add --same-host to follow their paths on site.test"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	f.linkBase = ""
	if c, err := s.Read(t.Context()); err != nil || len(c.Records) != 7 {
		t.Errorf("the next run: %v", err)
	}
	for _, link := range []string{"ftp://public.test/packages/", "https://u:canary@public.test/packages/", "https:///packages/"} {
		f.fault = func(int, *http.Request) (*http.Response, error) {
			return answerJSON(map[string]string{"packages": link, "grids": link, "categories": link}), nil
		}
		for _, sameHost := range []bool{false, true} {
			s := f.site(t)
			s.SameHost = sameHost
			if _, err := s.Read(t.Context()); err == nil || strings.Contains(err.Error(), "--same-host") || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s, same host %t: %v", link, sameHost, err)
			}
		}
	}
}

// TestSameHost: the paths of links to an internal host are followed on the host that
// was given, and nothing else is asked. Without the option, entries with such links
// are skipped, and a warning names it.
func TestSameHost(t *testing.T) {
	whole := newFakeSite(t, 7)
	want, err := whole.site(t).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := newFakeSite(t, 7)
	f.linkBase = "http://app.internal:8000"
	s := f.site(t)
	s.SameHost = true
	for i, p := range f.lists["packages"] {
		f.lists["packages"][i] = p.(entry).with("category", f.linkBase+"/api/v4/categories/1/",
			"grids", []string{f.linkBase + "/api/v4/grids/2/", "https://other.internal/api/v4/grids/1/"})
	}
	got, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, got)
	if !slices.Equal(f.requests, whole.requests) {
		t.Errorf("it asked for %q, want %q", f.requests, whole.requests)
	}

	f.linkBase = ""
	c, err := f.site(t).Read(t.Context())
	warning := "entries were skipped because their links lead to another host than site.test; if both hosts are the same service, import again with --same-host"
	if err != nil || c.Skipped != 7 || !slices.Equal(c.Warnings, []string{warning}) {
		t.Errorf("%v, %d skipped, %q", err, c.Skipped, c.Warnings)
	}
}

// TestListChanges: whatever is deleted, added or moved while a list is read, no entry
// is missed that was there all the time; see readList for the one exception.
func TestListChanges(t *testing.T) {
	eachAPI(t, func(t *testing.T, fake func(*testing.T, int) *fakeSite) {
		front := func(f *fakeSite, id int) {
			f.lists["packages"] = slices.Insert(f.lists["packages"], 0, any(aPackage(id)))
		}
		back := func(f *fakeSite, id int) { f.lists["packages"] = append(f.lists["packages"], aPackage(id)) }
		without := func(f *fakeSite, id int) {
			f.lists["packages"] = slices.DeleteFunc(f.lists["packages"], func(e any) bool { return e.(entry)["id"] == id })
		}
		// Requests 4, 5 and 6 are for the pages 7 6 5, 4 3 2 and 1.
		for _, test := range []struct {
			name     string
			changes  map[int]func(f *fakeSite) // before the request
			want     []int
			requests int
		}{
			{"nothing", nil, []int{1, 2, 3, 4, 5, 6, 7}, 6},
			{"the newest deleted", map[int]func(*fakeSite){5: func(f *fakeSite) { without(f, 7) }}, []int{1, 2, 3, 4, 5, 6}, 7},
			{"deleted before the last page", map[int]func(*fakeSite){6: func(f *fakeSite) { without(f, 6) }}, []int{1, 2, 3, 4, 5, 7}, 8},
			{"deleted, and another added behind later", map[int]func(*fakeSite){
				4: func(f *fakeSite) { front(f, 8); front(f, 9); front(f, 10) },
				5: func(f *fakeSite) { without(f, 10) },
				6: func(f *fakeSite) { back(f, 11) }, // so that 10 are counted and listed, but 7
			}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 11}, 11},
			{"added in front", map[int]func(*fakeSite){5: func(f *fakeSite) { front(f, 8) }}, []int{1, 2, 3, 4, 5, 6, 7, 8}, 9},
			{"added behind", map[int]func(*fakeSite){5: func(f *fakeSite) { back(f, 8) }}, []int{1, 2, 3, 4, 5, 6, 7, 8}, 6},
			{"one for another in front", map[int]func(*fakeSite){5: func(f *fakeSite) { without(f, 7); front(f, 8) }}, []int{1, 2, 3, 4, 5, 6, 7}, 6},
			{"moved to the front", map[int]func(*fakeSite){5: func(f *fakeSite) {
				without(f, 1)
				front(f, 1)
				f.lists["packages"][3] = aPackage(5).with("repo_watchers", 252) // comes again, and not as it was
			}}, []int{1, 2, 3, 4, 5, 6, 7}, 9},
			{"moved to the back", map[int]func(*fakeSite){5: func(f *fakeSite) { without(f, 7); back(f, 7) }}, []int{1, 2, 3, 4, 5, 6, 7}, 9},
			{"twice", map[int]func(*fakeSite){5: func(f *fakeSite) { without(f, 7) }, 7: func(f *fakeSite) { without(f, 6) }}, []int{1, 2, 3, 4, 5}, 9},
		} {
			t.Run(test.name, func(t *testing.T) {
				f := fake(t, 7)
				f.lists["packages"][6] = f.lists["packages"][6].(entry).with("repo_forks", -1) // reported once, however often it is read
				f.fault = func(n int, _ *http.Request) (*http.Response, error) {
					if change := test.changes[n]; change != nil {
						change(f)
					}
					return nil, nil
				}
				s := f.site(t)
				var notes []string
				s.Note = func(sentence string) { notes = append(notes, sentence) }
				c, err := s.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got := []int{}
				for i := range c.Records {
					got = append(got, c.Records[i].ID)
				}
				problem := "package 1: repo_forks is -1; skipped"
				if f.v3 {
					problem = "package p1: repo_forks is -1; skipped"
				}
				if test.name != "moved to the front" { // where it comes again, valid
					if c.Skipped != 1 || !slices.Equal(c.Problems, []string{problem}) {
						t.Errorf("%d skipped: %q", c.Skipped, c.Problems)
					}
					got = slices.Insert(got, 0, 1)
				}
				if !slices.Equal(got, test.want) || len(warned(c))+len(c.Unsettled) != 0 {
					t.Errorf("packages %v, want %v; %q", got, test.want, c.Warnings)
				}
				if len(f.requests) != test.requests {
					t.Errorf("%d requests, want %d: %q", len(f.requests), test.requests, f.requests)
				}
				if again := len(f.requests) > 6; again != slices.Contains(notes, "packages changed at the site while they were being read; reading them again from the start") {
					t.Errorf("read again is %t; it says %q", again, notes)
				}
			})
		}
	})
}

// TestListNeverSettles: a list that always changes is not read for ever, and a warning
// says that entries may be missing.
func TestListNeverSettles(t *testing.T) {
	eachAPI(t, func(t *testing.T, fake func(*testing.T, int) *fakeSite) {
		f := fake(t, 9)
		f.fault = func(n int, r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("offset") == "3" {
				f.lists["packages"] = f.lists["packages"][1:]
			}
			return nil, nil
		}
		c, err := f.site(t).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := "packages changed each of the 3 times they were read, or the site miscounts them (the last time it counted 7 and listed 6): some may be missing; import again"
		if !slices.Equal(warned(c), []string{want}) || !slices.Equal(c.Unsettled, []string{"packages"}) || len(c.Records) != 6 {
			t.Errorf("%d records, %q, %q", len(c.Records), c.Unsettled, c.Warnings)
		}
	})
}

// TestListAgainBreaksOff: pages of an earlier reading are not mixed with a later one's.
func TestListAgainBreaksOff(t *testing.T) {
	eachAPI(t, func(t *testing.T, fake func(*testing.T, int) *fakeSite) {
		f := fake(t, 7)
		ctx, stop := context.WithCancel(t.Context())
		f.fault = func(n int, _ *http.Request) (*http.Response, error) {
			switch n {
			case 5:
				f.lists["packages"] = f.lists["packages"][1:]
			case 7: // of the second reading
				stop()
				return nil, ctx.Err()
			}
			return nil, nil
		}
		s := f.site(t)
		if _, err := s.Read(ctx); err == nil || !strings.HasPrefix(err.Error(), "stopped; ") {
			t.Fatal(err)
		}
		c, err := s.Read(t.Context())
		if err != nil || len(c.Records) != 6 || c.Records[5].ID != 6 || c.Records[3].ID != 4 {
			t.Errorf("%v, %+v", err, c)
		}
	})
}

// TestResumes stops a walk at each of its requests in turn.
func TestResumes(t *testing.T) {
	eachAPI(t, func(t *testing.T, fake func(*testing.T, int) *fakeSite) {
		whole := fake(t, 20)
		want, err := whole.site(t).Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for at := 1; at <= len(whole.requests); at++ {
			f := fake(t, 20)
			s := f.site(t)
			ctx, stop := context.WithCancel(t.Context())
			f.fault = func(n int, _ *http.Request) (*http.Response, error) {
				if n == at {
					stop()
					return nil, ctx.Err()
				}
				return nil, nil
			}
			if _, err := s.Read(ctx); err == nil || err.Error() != "stopped; run the same command again to resume" {
				t.Fatalf("stopped at %d: %v", at, err)
			}
			var notes []string
			s.Note = func(sentence string) { notes = append(notes, sentence) }
			got, err := s.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			same(t, want, got)
			if len(f.requests) != len(whole.requests)+1 {
				t.Errorf("stopped at %d of %d requests, it made %d", at, len(whole.requests), len(f.requests))
			}
			if resumes := len(notes) == 1 && strings.HasPrefix(notes[0], "resuming the import begun at "); resumes != (at > 1) || len(notes) > 1 {
				t.Errorf("stopped at %d, it says %q", at, notes)
			}
			// Killed before the collection was safe: nothing is asked again.
			got, err = s.Read(t.Context())
			if err != nil || len(f.requests) != len(whole.requests)+1 {
				t.Errorf("%v after %d requests", err, len(f.requests))
			}
			same(t, want, got)
			if err := s.Forget(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(s.Spool); err == nil {
				t.Error("the spool is still there")
			}
		}
	})
}

// TestSpool: pages are reused only if they belong to this walk and are complete.
func TestSpool(t *testing.T) {
	eachAPI(t, func(t *testing.T, fake func(*testing.T, int) *fakeSite) {
		for _, test := range []struct {
			name  string
			spoil func(s *Site)
			asked int // requests of the second run; the first made 6
			note  string
		}{
			{"as it was", func(*Site) {}, 0, "resuming the import begun at 2000-01-01T00:00:00Z"},
			{"another root", func(s *Site) { s.Root = strings.Replace(s.Root, "site.test", "site.test:443", 1) }, 6, "discarding an unfinished import of https://site.test/api/"},
			{"almost a day", func(*Site) { time.Sleep(24 * time.Hour) }, 0, "resuming"},
			{"more than a day", func(*Site) { time.Sleep(24*time.Hour + 1) }, 6, "the import begun at 2000-01-01T00:00:00Z is too old to resume; starting over"},
			{"no head", func(s *Site) { remove(s, spoolHeadName) }, 6, ""},
			{"half a head", func(s *Site) { spoil(s, spoolHeadName, `{"sou`) }, 6, "the unfinished import here cannot be read; starting over"},
			{"half a page", func(s *Site) { spoil(s, pageName(s.Root+"grids/?limit=100"), `{"count":2,"res`) }, 1, "resuming"},
			{"a page lost", func(s *Site) { remove(s, pageName(s.Root)) }, 1, "resuming"},
			{"a page half written", func(s *Site) { spoil(s, pageName(s.Root)+".tmp", `{"pack`) }, 0, "resuming"},
		} {
			t.Run(test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := fake(t, 7)
					s := f.site(t)
					want, err := s.Read(t.Context())
					if err != nil || len(f.requests) != 6 {
						t.Fatal(err, f.requests)
					}
					test.spoil(s)
					f.lists["packages"][0] = aPackage(7).with("repo_watchers", 9) // as the site is now
					note := ""
					s.Note = func(sentence string) { note += sentence }
					got, err := s.Read(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if test.asked == 6 {
						want.Records[6].Repo.Stars = 9
					}
					same(t, want, got)
					if n := len(f.requests) - 6; n != test.asked || !strings.HasPrefix(note, test.note) {
						t.Errorf("%d requests, want %d; it says %q", n, test.asked, note)
					}
				})
			})
		}
		blocked := fake(t, 1).site(t)
		blocked.Spool = filepath.Join(t.TempDir(), "no", "such")
		if _, err := blocked.Read(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("a spool that cannot be made: %v", err)
		}
	})
}

func spoil(s *Site, name, content string) {
	if err := os.WriteFile(filepath.Join(s.Spool, name), []byte(content), 0o600); err != nil {
		panic(err)
	}
}

func remove(s *Site, name string) {
	if err := os.Remove(filepath.Join(s.Spool, name)); err != nil {
		panic(err)
	}
}
