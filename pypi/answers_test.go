package pypi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/upstream"
)

// answersServer serves testdata/answers.json: answers in every field of the shape
// that PyPI gives them, about projects that do not exist.
func answersServer(t *testing.T) *httptest.Server {
	t.Helper()
	data, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		Path   string
		Status int
		Header map[string]string `json:"headers"`
		Body   json.RawMessage
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
		a, known := byPath[r.URL.RequestURI()]
		if !known {
			t.Errorf("no answer to %s", r.URL)
			a.Status = http.StatusNotFound
		}
		for k, v := range a.Header {
			w.Header().Set(k, v)
		}
		if tag := r.Header.Get("If-None-Match"); tag != "" && tag == a.Header["ETag"] {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Body)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestAnswersOfPyPIsShape(t *testing.T) {
	c := newClient(t, answersServer(t).URL, nil)
	at := func(s string) time.Time {
		u, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	yes := true
	for _, tt := range []struct {
		name            string // as asked for
		outcome, again  upstream.Outcome
		want            Project
		text            string // in the error
		sent, sentAgain int    // requests
	}{
		{"Tide_Forms", upstream.Fresh, upstream.Unchanged, Project{
			Name: "Tide-Forms", Latest: "1.10.0", Licence: "MIT", DevelopmentStatus: 5, RequiresPython: ">=3.8", Python3: &yes, Python: []string{"3"},
			DocumentationURL: "https://tide-forms.example.org/docs/", Serial: 30001207,
			Versions: []Version{
				{Version: "1.10.1", Uploaded: at("2024-06-07T08:09:10.111213Z"), Yanked: true},
				{Version: "1.10.0", Uploaded: at("2024-05-06T07:08:09.101112Z")},
				{Version: "1.9", Uploaded: at("2022-07-08T09:10:11.121314Z")},
				{Version: "1.0", Uploaded: at("2021-03-04T05:06:07.089012Z")},
				{Version: "1.0a1", Uploaded: at("2021-02-03T04:05:06.078901Z")},
			},
		}, "", 1, 1},
		{"sand-dune", upstream.Fresh, upstream.Unchanged, Project{
			Name: "sand-dune", Latest: "0.0.10", Licence: "BSD License", RequiresPython: ">=3.9", Python3: &yes, Python: []string{"3"}, Serial: 29104410,
			Versions: []Version{
				{Version: "0.0.10", Uploaded: at("2022-03-04T05:06:07.080910Z")},
				{Version: "0.0.9", Uploaded: at("2022-02-03T04:05:06.070809Z")},
				{Version: "0.0.1", Uploaded: at("2022-01-02T03:04:05.060708Z")},
			},
		}, "", 1, 1},
		{"pebble.press", upstream.Fresh, upstream.Unchanged, Project{
			Name: "pebble_press", Latest: "1.0.0", Licence: "Apache-2.0 OR MIT", DevelopmentStatus: 4, RequiresPython: ">=3.10", Python3: &yes,
			DocumentationURL: "https://pebble.example.org/", Serial: 28200112,
			Versions: []Version{{Version: "1.0.0", Uploaded: at("2025-10-11T12:13:14.151617Z")}},
		}, "", 1, 1},
		{"wreck", upstream.Blocked, upstream.Blocked, Project{}, "quarantined the project: reported as malware", 2, 2},
		{"empty-shell", upstream.Empty, upstream.Empty, Project{}, "", 2, 2},
		{"mirage", upstream.Gone, upstream.Gone, Project{}, "no project of this name", 2, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := c.Fetch(t.Context(), Question{Name: tt.name})
			if a.Outcome != tt.outcome || a.Requests != tt.sent || (a.Err != nil) != (tt.text != "") || a.Err != nil && !strings.Contains(a.Err.Error(), tt.text) {
				t.Errorf("%v after %d requests, error %v; want %v after %d, %q", a.Outcome, a.Requests, a.Err, tt.outcome, tt.sent, tt.text)
			}
			if diff := cmp.Diff(tt.want, a.Project); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again := c.Fetch(t.Context(), Question{Name: tt.name, ETag: a.ETag, Serial: a.Project.Serial})
			if again.Outcome != tt.again || again.Requests != tt.sentAgain || again.ETag != a.ETag {
				t.Errorf("again: %v after %d requests, ETag %s; want %v after %d, %s", again.Outcome, again.Requests, again.ETag, tt.again, tt.sentAgain, a.ETag)
			}
		})
	}
}

// TestRecordedProjects checks answers that PyPI itself once gave. They are others'
// work and not in this repository; [TestAnswersOfPyPIsShape] checks the same without
// them.
func TestRecordedProjects(t *testing.T) {
	const recorded = "../../shared/recorded/upstream.json"
	data, err := os.ReadFile(recorded)
	if os.IsNotExist(err) {
		t.Skipf("no recorded answers at %s", recorded)
	}
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []struct{ Path, Body string }
	if err := json.Unmarshal(data, &exchanges); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]string{}
	for _, e := range exchanges {
		bodies[e.Path] = e.Body
	}
	yes := true
	for _, tt := range []struct {
		want     Project // without its versions
		count    int
		order    string // newest first, the first ones
		uploaded string // of the newest
		oldest   Version
	}{
		{
			want:     Project{Name: "django-crispy-forms", Latest: "1.14.0", Licence: "MIT", DevelopmentStatus: 5, RequiresPython: ">=3.7", Python3: &yes, Python: []string{"3", "3.7", "3.8", "3.9", "3.10"}, Django: []string{"2.2", "3.2", "4.0"}, Serial: 12684778},
			count:    38,
			order:    "1.14.0 1.13.0 1.12.0 1.11.2 1.11.1 1.11.0 1.10.0 1.9.2",
			uploaded: "2022-01-25T08:08:34.739304Z",
			oldest:   Version{Version: "1.0.0", Uploaded: time.Date(2011, 11, 2, 16, 34, 12, 784055000, time.UTC)},
		},
		{
			want:     Project{Name: "nango", Latest: "0.1.2", Licence: "MIT License", RequiresPython: ">=3.8", Python3: &yes, Python: []string{"3"}, Serial: 12873175},
			count:    20,
			order:    "0.1.2 0.1.1 0.1.0 0.0.17 0.0.16 0.0.15 0.0.14 0.0.13 0.0.12 0.0.11 0.0.10 0.0.9",
			uploaded: "2022-02-12T23:39:48.897997Z",
			oldest:   Version{Version: "0.0.1", Uploaded: time.Date(2022, 1, 9, 9, 34, 31, 672852000, time.UTC)},
		},
		{
			want:     Project{Name: "django-minify-html", Latest: "1.0.0", Licence: "MIT", DevelopmentStatus: 5, RequiresPython: ">=3.8", Python3: &yes, Python: []string{"3", "3.8", "3.9", "3.10"}, Django: []string{"2.2", "3.0", "3.1", "3.2", "4.0"}, Serial: 12421611},
			count:    1,
			order:    "1.0.0",
			uploaded: "2021-12-28T10:37:18.583101Z",
			oldest:   Version{Version: "1.0.0", Uploaded: time.Date(2021, 12, 28, 10, 37, 18, 583101000, time.UTC)},
		},
	} {
		t.Run(tt.want.Name, func(t *testing.T) {
			body, ok := bodies["/pypi/"+tt.want.Name+"/json"]
			if !ok {
				t.Fatal("not among the recorded answers")
			}
			got := mustDecode(t, body)
			versions := got.Versions
			got.Versions = nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(versions) != tt.count {
				t.Fatalf("%d versions; want %d", len(versions), tt.count)
			}
			for i, v := range strings.Fields(tt.order) {
				if versions[i].Version != v {
					t.Errorf("version %d is %s; want %s", i, versions[i].Version, v)
				}
			}
			if s := versions[0].Uploaded.Format(time.RFC3339Nano); s != tt.uploaded {
				t.Errorf("newest uploaded %s; want %s", s, tt.uploaded)
			}
			if diff := cmp.Diff(tt.oldest, versions[len(versions)-1]); diff != "" {
				t.Errorf("oldest (-want +got):\n%s", diff)
			}
			for _, v := range versions {
				if v.Yanked || v.Uploaded.IsZero() {
					t.Errorf("%+v: yanked or without upload time", v)
				}
			}
		})
	}
}
