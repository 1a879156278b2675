package github

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// answersServer serves testdata/answers.json: answers in every field of the
// shape that GitHub gives them, about repositories that do not exist.
func answersServer(t *testing.T) *httptest.Server {
	t.Helper()
	type answer struct {
		Path   string
		Status int
		Header map[string]string `json:"headers"`
		Body   json.RawMessage
	}
	data, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := json.Unmarshal(data, &answers); err != nil {
		t.Fatal(err)
	}
	byPath := map[string]answer{}
	for _, a := range answers {
		byPath[a.Path] = a
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+canary || !strings.HasPrefix(r.UserAgent(), "test/1") || r.Header.Get("X-GitHub-Api-Version") == "" {
			t.Errorf("%s asked with %v", r.URL, r.Header)
		}
		a, known := byPath[r.URL.RequestURI()]
		if !known {
			t.Errorf("no answer to %s", r.URL)
			a.Status = http.StatusNotFound
		}
		for k, v := range a.Header {
			w.Header().Set(k, v)
		}
		w.Header().Set("X-RateLimit-Reset", "99999999999")
		if tag := r.Header.Get("If-None-Match"); tag != "" && tag == a.Header["ETag"] {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.WriteHeader(a.Status)
		if a.Status != http.StatusNoContent {
			_, _ = w.Write(a.Body)
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestAnswersOfGitHubsShape(t *testing.T) {
	srv := answersServer(t)
	c := newClient(t, nil, func(o *Options) { o.BaseURL, o.Transport, o.UserAgent = srv.URL, nil, "test/1" })
	newest := time.Date(2026, 1, 20, 8, 29, 58, 0, time.UTC)
	counts := make([]int, 52)
	counts[3], counts[50], counts[51] = 5, 2, 11
	for _, tt := range []struct {
		name string
		ref  Ref
		want Answer // errors, validators and numbers of requests aside
		text string // in the error about contributors
		// requests sent, those charged, and the same when all is asked again
		sent, charged, sentAgain, chargedAgain int
	}{
		{"a repository with all there is", Ref{"tidepool", "kelp"}, Answer{
			Repository:    Part[Repository]{Outcome: fresh, Value: Repository{ID: 90210417, FullName: "tidepool/kelp", Stars: 2718, Forks: 31, Description: "Forms that sway with the tide — for Django."}},
			Contributors:  Part[[]record.Contribution]{Outcome: fresh, Value: []record.Contribution{{Login: "diver000", Commits: 400}, {Login: "diver001", Commits: 397}, {Login: "diver002", Commits: 394}, {Login: "otter", Commits: 2}, {Login: "heron[bot]", Commits: 1}}},
			Commits:       Part[Commits]{Outcome: fresh, Value: Commits{Last: newest, Count: 1618}},
			Participation: Part[[]int]{Outcome: fresh, Value: counts},
			Ref:           Ref{"tidepool", "kelp"},
		}, "", 5, 5, 5, 0},
		{"an empty one", Ref{"tidepool", "sand"}, Answer{
			Repository:    Part[Repository]{Outcome: fresh, Value: Repository{ID: 90210418, FullName: "tidepool/sand"}},
			Contributors:  Part[[]record.Contribution]{Outcome: noneThere},
			Commits:       Part[Commits]{Outcome: noneThere},
			Participation: Part[[]int]{Outcome: noneThere},
			Ref:           Ref{"tidepool", "sand"},
		}, "", 4, 4, 4, 3},
		{"a renamed one that is too large", Ref{"ebb", "flow"}, Answer{
			Repository:    Part[Repository]{Outcome: fresh, Value: Repository{ID: 90210419, FullName: "tidepool/flood", Stars: 2718, Forks: 31, Description: "Forms that sway with the tide — for Django.", Archived: true}},
			Contributors:  Part[[]record.Contribution]{Outcome: upstream.TooLarge},
			Commits:       Part[Commits]{Outcome: fresh, Value: Commits{Last: newest, Count: 1}},
			Participation: Part[[]int]{Outcome: upstream.Pending},
			Ref:           Ref{"tidepool", "flood"},
		}, "too large to list contributors", 5, 5, 4, 2},
		{"one taken down", Ref{"tidepool", "wreck"}, Answer{
			Repository:    Part[Repository]{Outcome: blocked},
			Contributors:  Part[[]record.Contribution]{Outcome: blocked},
			Commits:       Part[Commits]{Outcome: blocked},
			Participation: Part[[]int]{Outcome: blocked},
		}, "reason dmca (HTTP 451)", 1, 1, 1, 1},
		{"none", Ref{"tidepool", "mirage"}, Answer{
			Repository:    Part[Repository]{Outcome: gone},
			Contributors:  Part[[]record.Contribution]{Outcome: gone},
			Commits:       Part[Commits]{Outcome: gone},
			Participation: Part[[]int]{Outcome: gone},
		}, "Not Found (HTTP 404)", 1, 1, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var others sync.WaitGroup
			defer others.Wait()
			q := Question{Ref: tt.ref, Parts: AllParts, Beside: func(f func()) bool { others.Go(f); return true }}
			a := c.Fetch(t.Context(), q)
			checkAnswer(t, a, AllParts, nil)
			if e := a.Contributors.Err; (e != nil) != (tt.text != "") || e != nil && !strings.Contains(e.Error(), tt.text) {
				t.Errorf("error %v, want it to mention %q", e, tt.text)
			}
			if a.Requests != tt.sent || a.Charged != tt.charged {
				t.Errorf("%d requests, %d charged; want %d, %d", a.Requests, a.Charged, tt.sent, tt.charged)
			}
			if !a.Ref.IsZero() {
				q.Ref = a.Ref
			}
			q.Known, q.Commits, q.Participants = a.Validators, a.Commits.Value.Count, len(a.Contributors.Value)
			again := c.Fetch(t.Context(), q)
			if again.Requests != tt.sentAgain || again.Charged != tt.chargedAgain {
				t.Errorf("again: %d requests, %d charged; want %d, %d", again.Requests, again.Charged, tt.sentAgain, tt.chargedAgain)
			}
			if d := cmp.Diff(a.Validators, again.Validators); d != "" {
				t.Error("the validators changed: -first +again\n", d)
			}
			a.Validators, a.Requests, a.Charged = nil, 0, 0
			a.Repository.Err, a.Contributors.Err, a.Commits.Err, a.Participation.Err = nil, nil, nil, nil
			if d := cmp.Diff(tt.want, a); d != "" {
				t.Error("-want +got\n", d)
			}
		})
	}
}
