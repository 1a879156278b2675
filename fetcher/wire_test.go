package fetcher_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
)

// reply is an answer of the wire: by default 200.
type reply struct {
	status int
	header string // of the form "Name: value"
	body   string
}

// wire is GitHub and PyPI on no network, about acme/kit and the project kit. It
// answers each path after the latency, and counts the requests to GitHub in flight.
type wire struct {
	latency time.Duration

	mu        sync.Mutex
	replies   map[string]reply // by path
	now, most int
}

const (
	repoPath          = "/repos/acme/kit"
	contributorsPath  = repoPath + "/contributors"
	commitsPath       = repoPath + "/commits"
	participationPath = repoPath + "/stats/participation"
	projectPath       = "/pypi/kit/json"
)

// newWire answers all that is asked: 7 commits by ann and bob, 3 a week, and 2.0 with
// serial 900.
func newWire() *wire {
	return &wire{replies: map[string]reply{
		repoPath:          {body: `{"id":7,"full_name":"acme/kit","stargazers_count":42,"forks_count":4}`},
		contributorsPath:  {body: `[{"login":"ann"},{"login":"bob"}]`},
		commitsPath:       {body: `[{"commit":{"committer":{"date":"2024-05-06T07:08:09Z"}}}]`, header: `Link: <http://sim/x?page=2>; rel="next", <http://sim/x?page=7>; rel="last"`},
		participationPath: {body: `{"all":[` + strings.Repeat("3,", 51) + `3]}`},
		projectPath:       release("2.0", 900),
	}}
}

// release is PyPI's answer while a version is the latest. serial may be anything that
// JSON can hold; nil leaves it out.
func release(version string, serial any) reply {
	text := ""
	if serial != nil {
		text = fmt.Sprintf(`,"last_serial":%v`, serial)
	}
	return reply{body: fmt.Sprintf(`{"info":{"name":"kit","version":%q},"releases":{%[1]q:[]}%s}`, version, text)}
}

func (w *wire) set(path string, r reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.replies[path] = r
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.URL.Path, "/repos/") {
		w.flight(1)
		defer w.flight(-1)
	}
	time.Sleep(w.latency)
	w.mu.Lock()
	defer w.mu.Unlock()
	r, known := w.replies[req.URL.Path]
	if !known {
		r.status = http.StatusNotFound
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	header := http.Header{}
	if name, value, ok := strings.Cut(r.header, ": "); ok {
		header.Set(name, value)
	}
	return &http.Response{StatusCode: r.status, Header: header, Body: io.NopCloser(strings.NewReader(r.body)), Request: req, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}, nil
}

func (w *wire) flight(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now += n
	w.most = max(w.most, w.now)
}

// newWired returns a rig over w that knows the package kit and has fetched it.
func newWired(t *testing.T, w *wire) *rig {
	t.Helper()
	r := newRigOver(t, filepath.Join(t.TempDir(), "test.db"), w, nil)
	repo, project := "https://github.com/acme/kit", "https://pypi.org/project/kit/"
	c := record.Catalogue{Packages: []record.Entry{{ID: 1, Slug: "kit", RepoURL: &repo, PyPIURL: &project}}}
	if _, err := r.store.SyncCatalogue(c, time.Now()); err != nil {
		t.Fatal(err)
	}
	if report := r.pass(); report.Fresh != 2 {
		t.Fatalf("first pass: %+v", report)
	}
	return r
}

// TestOlderReleases: an answer of PyPI that is older than the last one believed is
// that of a stale cache, until it has been so for a week.
func TestOlderReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		r := newWired(t, w)
		day := 24 * time.Hour
		for _, step := range []struct {
			name    string
			after   time.Duration
			answer  reply
			version string // known after it
			serial  int64
			state   record.State
		}{
			{"one from a stale cache", day, release("1.9", 800), "2.0", 900, record.StatePending},
			{"again", time.Hour, release("1.9", 800), "2.0", 900, record.StatePending},
			{"for less than a week", 7*day - 2*time.Hour, release("1.9", 800), "2.0", 900, record.StatePending},
			{"no answer meanwhile", time.Minute, reply{status: 500}, "2.0", 900, record.StateFailed},
			{"for a week", 2 * time.Hour, release("1.9", 800), "1.9", 800, record.StateOK},
			{"the first older one after a long stop", 30 * day, release("1.8", 700), "1.9", 800, record.StatePending},
			{"the cache has caught up", 6 * day, release("1.9", 800), "1.9", 800, record.StateOK},
			{"another one, another week", 2 * day, release("1.8", 700), "1.9", 800, record.StatePending},
			{"one without a serial", time.Hour, release("2.1", nil), "2.1", 800, record.StateOK},
			{"an older one after that", time.Hour, release("1.8", 700), "2.1", 800, record.StatePending},
			{"a serial that is none", time.Hour, release("2.2", "1e300"), "2.2", 800, record.StateOK},
			{"one that is none in the header", time.Hour, reply{body: release("2.2", nil).body, header: "X-PyPI-Last-Serial: 9223372036854775807"}, "2.2", 800, record.StateOK},
			{"the next one after that", time.Hour, release("2.3", 801), "2.3", 801, record.StateOK},
		} {
			time.Sleep(step.after)
			w.set(projectPath, step.answer)
			before := r.get("kit").PyPI
			r.refresh("kit")
			p := r.get("kit")
			if *p.Project.Version != step.version || p.PyPI.Serial != step.serial || p.PyPI.State != step.state {
				t.Errorf("%s: version %s, serial %d, %s; want %s, %d, %s", step.name, *p.Project.Version, p.PyPI.Serial, p.PyPI.State, step.version, step.serial, step.state)
			}
			if moved := p.PyPI.LastSuccess.After(before.LastSuccess); moved != (step.state == record.StateOK) {
				t.Errorf("%s: the last success moved: %t", step.name, moved)
			}
		}
	})
}

// TestUnchangedEndsStaleness: what PyPI says is still current is no step of a week of
// older answers.
func TestUnchangedEndsStaleness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		tagged := release("2.0", 900)
		tagged.header = `ETag: "a"`
		w.set(projectPath, tagged)
		r := newWired(t, w)
		for _, answer := range []reply{release("1.9", 800), {status: 304}, release("1.9", 800)} {
			time.Sleep(6 * 24 * time.Hour)
			w.set(projectPath, answer)
			r.refresh("kit")
		}
		if p := r.get("kit"); *p.Project.Version != "2.0" || p.PyPI.State != record.StatePending || p.PyPI.Tags["project"] != `"a"` {
			t.Errorf("%s, %+v", *p.Project.Version, p.PyPI)
		}
	})
}

// TestWhatIsKnownIsAsked: the numbers of commits and contributors that are known go
// into the question, so that a lone claim of nothing does not wipe them out.
func TestWhatIsKnownIsAsked(t *testing.T) {
	for _, tt := range []struct {
		name         string
		before, then map[string]reply
	}{
		{"nobody is listed", nil, map[string]reply{contributorsPath: {body: `[]`}}},
		{"one answer says that the repository is empty",
			map[string]reply{contributorsPath: {body: `[]`}}, // none of its authors has an account
			map[string]reply{contributorsPath: {status: 502}, commitsPath: {status: 409}, participationPath: {status: 202, body: `{}`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				for path, answer := range tt.before {
					w.set(path, answer)
				}
				r := newWired(t, w)
				before := r.get("kit")
				for path, answer := range tt.then {
					w.set(path, answer)
				}
				time.Sleep(time.Hour)
				r.refresh("kit")
				p := r.get("kit")
				if !slices.Equal(p.Repo.Participants, before.Repo.Participants) || p.Repo.Commits != 7 || p.Repo.LastCommit == nil || p.Repo.Commits52[0] != 3 {
					t.Errorf("%+v", p.Repo)
				}
				if !p.GitHub.LastSuccess.Equal(before.GitHub.LastSuccess) || !p.LastFetched.Equal(before.LastFetched) {
					t.Errorf("claims to be of %s: %+v", p.LastFetched, p.GitHub)
				}
			})
		})
	}
}

// TestDoubtIsNotAskedAlone: within the pass, parts that other parts contradict are not
// asked again without them, when they could agree on what is wrong.
func TestDoubtIsNotAskedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		r := newWired(t, w)
		w.set(contributorsPath, reply{status: 409})
		w.set(participationPath, reply{status: 409})
		report := r.refresh("kit")
		if p := r.get("kit"); len(p.Repo.Participants) != 2 || p.Repo.Commits52[0] != 3 || p.GitHub.State != record.StatePending || report.Pending != 1 {
			t.Errorf("%+v, %s", p.Repo, p.GitHub.State)
		}
	})
}

// TestUnreadableCommitDate: the last date known stays, and a person is told.
func TestUnreadableCommitDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		r := newWired(t, w)
		w.set(commitsPath, reply{body: `[{"commit":{"committer":{"date":"yesterday"}}}]`})
		r.refresh("kit")
		p := r.get("kit")
		if want := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC); p.Repo.LastCommit == nil || !p.Repo.LastCommit.Equal(want) || p.Repo.Commits != 1 {
			t.Errorf("last commit %v, %d commits", p.Repo.LastCommit, p.Repo.Commits)
		}
		if want := "GitHub gives no readable date for the newest commit; the last one known stays"; p.GitHub.Note != want {
			t.Errorf("note %q", p.GitHub.Note)
		}
	})
}

// TestPartsSideBySide: of one repository all parts but the first are asked at once,
// as far as the bound of requests in flight allows.
func TestPartsSideBySide(t *testing.T) {
	for workers, want := range map[int]int{1: 1, 2: 2, 8: 3} {
		synctest.Test(t, func(t *testing.T) {
			w := newWire()
			w.latency = time.Second
			r := newRigOver(t, filepath.Join(t.TempDir(), "test.db"), w, func(o *fetcher.Options) { o.Workers = workers })
			repo := "https://github.com/acme/kit"
			c := record.Catalogue{Packages: []record.Entry{{ID: 1, Slug: "kit", RepoURL: &repo}}}
			if _, err := r.store.SyncCatalogue(c, time.Now()); err != nil {
				t.Fatal(err)
			}
			if r.refresh("kit"); w.most != want {
				t.Errorf("%d workers: %d requests in flight, want %d", workers, w.most, want)
			}
		})
	}
}
