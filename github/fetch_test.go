package github

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

const (
	fresh     = upstream.Fresh
	unchanged = upstream.Unchanged
	noneThere = upstream.Empty
	gone      = upstream.Gone
	blocked   = upstream.Blocked
	limited   = upstream.Limited
	failed    = upstream.Failed
	unsure    = upstream.Doubtful
	none      = upstream.NotAsked

	repoURI  = "/repos/o/n"
	usersURI = "/repos/o/n/contributors?per_page=100"
	comURI   = "/repos/o/n/commits?per_page=1"
	weekURI  = "/repos/o/n/stats/participation"
)

var allTags = Validators{"repository": `W/"r"`, "contributors/1": `W/"p1"`, "commits": `W/"c"`, "participation": `W/"w"`}

func TestFetchFresh(t *testing.T) {
	f := newFake()
	a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts})
	weeks := make([]int, 52)
	for i := range weeks {
		weeks[i] = 3
	}
	want := Answer{
		Repository: Part[Repository]{Outcome: fresh, Value: Repository{ID: 7, FullName: "o/n", Stars: 11, Forks: 4,
			Archived: true}},
		Contributors:  Part[[]record.Contribution]{Outcome: fresh, Value: []record.Contribution{{Login: "ann"}, {Login: "bob"}}},
		Commits:       Part[Commits]{Outcome: fresh, Value: Commits{Last: time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC), Count: 7}},
		Participation: Part[[]int]{Outcome: fresh, Value: weeks},
		Ref:           Ref{"o", "n"},
		Validators:    allTags,
		Requests:      4,
		Charged:       4,
	}
	if d := cmp.Diff(want, a); d != "" {
		t.Error("-want +got\n", d)
	}
	if loc := a.Commits.Value.Last.Location(); loc != time.UTC {
		t.Errorf("the commit's date is in %v", loc)
	}
	if d := cmp.Diff([]string{repoURI, usersURI, comURI, weekURI}, f.asked); d != "" {
		t.Error("requests: -want +got\n", d)
	}
}

func TestFetchBasePath(t *testing.T) {
	for _, base := range []string{"https://ghe.test/api/v3", "https://ghe.test/api/v3/"} {
		f := newFake()
		for uri, r := range maps.Clone(f.replies) {
			f.set("/api/v3"+uri, r...)
		}
		a := newClient(t, f, func(o *Options) { o.BaseURL = base }).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts})
		if got := outcomes(a); got != [4]upstream.Outcome{fresh, fresh, fresh, fresh} {
			t.Errorf("%s: %v, asked %v", base, got, f.asked)
		}
	}
}

// TestFetchOutcomes walks every kind of answer, part by part.
func TestFetchOutcomes(t *testing.T) {
	all := func(o upstream.Outcome) [4]upstream.Outcome { return [4]upstream.Outcome{o, o, o, o} }
	// but is all fresh but for the one part that uri belongs to.
	but := func(uri string, o upstream.Outcome) (w [4]upstream.Outcome) {
		for i, u := range []string{repoURI, usersURI, comURI, weekURI} {
			if w[i] = fresh; u == uri {
				w[i] = o
			}
		}
		return w
	}
	type test struct {
		name    string
		uri     string
		reply   reply
		want    [4]upstream.Outcome
		sent    int
		charged int
		text    string // in the first error
		quick   bool
	}
	tests := []test{
		{"gone", repoURI, refuse(404, `{"message":"Not Found"}`), all(gone), 1, 1, "Not Found", false},
		{"410", repoURI, refuse(410, ``), all(gone), 1, 1, "no message", false},
		{"451", repoURI, refuse(451, `{"message":"Repository access blocked","block":{"reason":"dmca"}}`), all(blocked), 1, 1, "reason dmca", false},
		{"403 terms of service", repoURI, refuse(403, `{"message":"Repository access blocked","block":{"reason":"tos"}}`).with("X-RateLimit-Remaining", "0"), all(blocked), 1, 1, "reason tos", false},
		{"401", repoURI, refuse(401, `{"message":"Bad credentials"}`), all(limited), 1, 1, "check github.token_file", false},
		{"secondary limit", repoURI, refuse(403, `{"message":"You have exceeded a secondary rate limit."}`), all(limited), 1, 1, "secondary", false},
		{"secondary limit by documentation", repoURI, refuse(403, `{"documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`), all(limited), 1, 1, "secondary", false},
		{"secondary limit, old name", repoURI, refuse(403, `{"message":"You have triggered an abuse detection mechanism."}`), all(limited), 1, 1, "secondary", false},
		{"403 with Retry-After", repoURI, refuse(403, `<html>`).with("Retry-After", "30"), all(limited), 1, 1, "a web page", false},
		{"403 primary", repoURI, refuse(403, `{"message":"API rate limit exceeded"}`).with("X-RateLimit-Remaining", "0"), all(limited), 1, 1, "primary", false},
		{"429", repoURI, refuse(429, ``), all(limited), 1, 1, "secondary", false},
		{"429 primary", repoURI, refuse(429, ``).with("X-RateLimit-Remaining", "0"), all(limited), 1, 1, "primary", false},
		{"plain 403", repoURI, refuse(403, `{"message":"Resource protected by SAML"}`), but(repoURI, failed), 4, 4, "refused access: Resource protected by SAML", false},
		{"500", repoURI, refuse(500, ``), but(repoURI, failed), 4, 4, "GitHub failed", true},
		{"502 page", repoURI, refuse(502, `<!DOCTYPE html><h1>Unicorn!`), but(repoURI, failed), 4, 4, "GitHub failed: a web page", true},
		{"503 with Retry-After", repoURI, refuse(503, ``).with("Retry-After", "9"), but(repoURI, failed), 4, 4, "not before", false},
		{"501", repoURI, refuse(501, ``), but(repoURI, failed), 4, 4, "GitHub failed", false},
		{"418", repoURI, refuse(418, `{"message":"teapot"}`), but(repoURI, failed), 4, 4, "unexpected answer: teapot (HTTP 418)", false},
		{"206", repoURI, refuse(206, `{}`), but(repoURI, failed), 4, 4, "unexpected", false},
		{"301 to nowhere", repoURI, refuse(301, ``), but(repoURI, failed), 4, 4, "unexpected", false},
		{"half stars", repoURI, ok(strings.Replace(repoJSON("o/n"), "11", "1.5", 1)), but(repoURI, failed), 4, 4, "stargazers_count is 1.5, which is not a whole number", false},
		{"negative forks", repoURI, ok(strings.Replace(repoJSON("o/n"), `"forks_count":4`, `"forks_count":-1`, 1)), but(repoURI, failed), 4, 4, "forks_count is -1, which", false},
		{"stars null", repoURI, ok(strings.Replace(repoJSON("o/n"), "11", "null", 1)), but(repoURI, failed), 4, 4, "no stargazers_count", false},
		{"stars a text", repoURI, ok(strings.Replace(repoJSON("o/n"), "11", `"5"`, 1)), but(repoURI, failed), 4, 4, "stargazers_count is of the wrong type (string)", false},
		{"stars beyond all numbers", repoURI, ok(strings.Replace(repoJSON("o/n"), "11", `1e999`, 1)), but(repoURI, failed), 4, 4, "stargazers_count is of the wrong type (number 1e999)", false},
		{"stars beyond exact numbers", repoURI, ok(strings.Replace(repoJSON("o/n"), "11", `1e300`, 1)), but(repoURI, failed), 4, 4, "stargazers_count is 1e+300, which", false},
		{"uncalled-for 304", repoURI, refuse(304, ``), but(repoURI, failed), 4, 3, "not modified", false},
		{"repository 202", repoURI, refuse(202, `{}`), but(repoURI, failed), 4, 4, "computing", false},
		{"repository 204", repoURI, refuse(204, ``), but(repoURI, failed), 4, 4, "no full_name", false},
		{"repository 409", repoURI, refuse(409, `{}`), but(repoURI, failed), 4, 4, "", false},
		{"connection breaks", repoURI, reply{err: io.EOF}, but(repoURI, failed), 4, 4, "broke", true},
		{"no connection", repoURI, reply{err: &net.OpError{Op: "dial", Err: errors.New("no route")}}, but(repoURI, failed), 3, 3, "no route", false},

		{"html", repoURI, ok("<html>login").with("Content-Type", "text/html"), but(repoURI, failed), 4, 4, "web page instead of JSON", false},
		{"not json", repoURI, ok("hello"), but(repoURI, failed), 4, 4, "broken answer: it is not JSON: invalid character", false},
		{"empty body", repoURI, ok(""), but(repoURI, failed), 4, 4, "no full_name", false},
		{"null", repoURI, ok("null"), but(repoURI, failed), 4, 4, "no full_name", false},
		{"truncated", repoURI, ok(`{"id":7,"full_na`), but(repoURI, failed), 4, 4, "broken answer", true},
		{"cut", repoURI, reply{status: 200, body: `{"id":7,`, cut: io.ErrUnexpectedEOF}, but(repoURI, failed), 4, 4, "broke", true},
		{"wrong type", repoURI, ok(`{"id":"seven"}`), but(repoURI, failed), 4, 4, "broken answer: id is of the wrong type (string)", false},
		{"list", repoURI, ok(`[]`), but(repoURI, failed), 4, 4, "broken answer", false},
		{"no stars", repoURI, ok(`{"id":7,"full_name":"o/n","forks_count":1,"watchers_count":4}`), but(repoURI, failed), 4, 4, "stargazers_count", false},
		{"no forks", repoURI, ok(`{"id":7,"full_name":"o/n","stargazers_count":1}`), but(repoURI, failed), 4, 4, "forks_count", false},
		{"no id", repoURI, ok(`{"full_name":"o/n","stargazers_count":1,"forks_count":1}`), but(repoURI, failed), 4, 4, "no id", false},
		{"bad name", repoURI, ok(repoJSON("o/../x")), but(repoURI, failed), 4, 4, "full_name", false},
		{"endless body", repoURI, ok(`{"full_name":"` + strings.Repeat("x", 8<<20)), but(repoURI, failed), 4, 4, "larger than 8 MiB", false},

		{"too large", usersURI, refuse(403, `{"message":"The history or contributor list is too large to list contributors for this repository via the API."}`).with("X-RateLimit-Remaining", "0"), but(usersURI, upstream.TooLarge), 4, 4, "too large", false},
		{"no contributors", usersURI, refuse(204, ``), but(usersURI, unsure), 5, 5, "GET https://api.test/repos/o/n/contributors: GitHub says that there is nothing, but the list of commits is not empty; not believed yet (HTTP 204)", false},
		{"contributors gone", usersURI, refuse(404, ``), but(usersURI, gone), 4, 4, "no such", false},
		{"contributors limited", usersURI, refuse(429, ``), [4]upstream.Outcome{fresh, limited, limited, limited}, 2, 2, "limit", false},
		{"contributors null", usersURI, ok(`null`), but(usersURI, failed), 4, 4, "no list", false},
		{"contributors cut in a login", usersURI, ok(`[{"login":"ann"},{"lo`), but(usersURI, failed), 4, 4, "broken answer: it ends in the middle", true},
		{"contributors not JSON within", usersURI, ok(`[{"login":ann}]`), but(usersURI, failed), 4, 4, "broken answer: it is not JSON: invalid character", false},
		{"contributors object", usersURI, ok(`{}`), but(usersURI, failed), 4, 4, "broken answer", false},

		{"commits 409, others full", comURI, refuse(409, `{"message":"Git Repository is empty."}`), [4]upstream.Outcome{fresh, unsure, unsure, unsure}, 7, 7, "says that the repository is empty", false},
		{"no commits", comURI, ok(`[]`), but(comURI, unsure), 5, 5, "contributors are listed", false},
		{"commits 204", comURI, refuse(204, ``), but(comURI, unsure), 5, 5, "contributors are listed", false},
		{"commits null", comURI, ok(`null`), but(comURI, failed), 4, 4, "no list", false},
		{"commits limited", comURI, refuse(429, ``), [4]upstream.Outcome{fresh, fresh, limited, limited}, 3, 3, "limit", false},

		{"pending", weekURI, refuse(202, `{}`), but(weekURI, upstream.Pending), 4, 4, "still computing", false},
		{"participation 409", weekURI, refuse(409, ``), but(weekURI, unsure), 5, 5, "the list of commits is not empty", false},
		{"participation 204", weekURI, refuse(204, ``), but(weekURI, unsure), 5, 5, "the list of commits is not empty", false},
		{"51 weeks", weekURI, ok(weeksJSON(51, 0)), but(weekURI, failed), 4, 4, "51 weeks", false},
		{"53 weeks", weekURI, ok(weeksJSON(53, 0)), but(weekURI, failed), 4, 4, "53 weeks", false},
		{"no weeks", weekURI, ok(`{}`), but(weekURI, failed), 4, 4, "0 weeks", false},
		{"negative week", weekURI, ok(weeksJSON(52, -1)), but(weekURI, failed), 4, 4, "in week 1 is -1, which", false},
		{"half commits", weekURI, ok(strings.Replace(weeksJSON(52, 3), "3", "3.5", 1)), but(weekURI, failed), 4, 4, "in week 1 is 3.5, which", false},
		{"unknown week", weekURI, ok(strings.Replace(weeksJSON(52, 3), "3", "null", 1)), but(weekURI, failed), 4, 4, "no number of commits in week 1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake().set(tt.uri, tt.reply)
			known := Validators{"repository": `W/"old"`, "contributors/1": `W/"old"`, "commits": `W/"old"`, "participation": `W/"old"`}
			if tt.name == "uncalled-for 304" {
				delete(known, "repository")
			}
			before := maps.Clone(known)
			a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts, Known: known})
			if got := outcomes(a); got != tt.want {
				t.Errorf("outcomes %v, want %v", got, tt.want)
			}
			if a.Requests != tt.sent || a.Charged != tt.charged {
				t.Errorf("%d requests, %d charged; want %d, %d", a.Requests, a.Charged, tt.sent, tt.charged)
			}
			if d := cmp.Diff(before, known); d != "" {
				t.Error("the validators passed in were changed", d)
			}
			var first *upstream.Error
			for _, e := range errorsOf(a) {
				if first == nil {
					first = e
				}
				if e != nil && strings.Contains(e.Error(), "<") {
					t.Errorf("the error holds a web page: %v", e)
				}
			}
			if tt.text != "" && (first == nil || !strings.Contains(first.Error(), tt.text)) {
				t.Errorf("error %v, want it to mention %q", first, tt.text)
			}
			if tt.quick != (first != nil && first.Quick) {
				t.Errorf("Quick of %v is not %v", first, tt.quick)
			}
			checkAnswer(t, a, AllParts, known)
		})
	}
}

// checkAnswer holds what is true of every answer.
func checkAnswer(t *testing.T, a Answer, parts Parts, known Validators) {
	t.Helper()
	names := []string{"repository", "contributors/1", "commits", "participation"}
	var over *upstream.Error // ends the fetch
	for i, o := range outcomes(a) {
		err, asked := errorsOf(a)[i], parts&(1<<i) != 0
		stops := o == limited || o == upstream.Canceled // one that was asked before may have answered
		first := errorsOf(a)[0]
		if asked && over != nil && err != over && (stops || over == first) {
			t.Errorf("%s: %v, though the fetch was over with %v", names[i], err, over)
		}
		if o == limited || o == upstream.Canceled || i == 0 && (o == gone || o == blocked) {
			over = err
		}
		if asked != (o != none) {
			t.Errorf("%s: asked %v, outcome %q", names[i], asked, o)
		}
		quiet := o == none || o == fresh || o == unchanged || o == noneThere
		if quiet != (err == nil) || err != nil && (err.Outcome != o || err.Message == "") {
			t.Errorf("%s: outcome %q with error %#v", names[i], o, err)
		}
		if o == limited && err.RetryAt.IsZero() {
			t.Errorf("%s: limited without a time", names[i])
		}
		if o != fresh && o != noneThere && o != unsure && a.Validators[names[i]] != known[names[i]] {
			t.Errorf("%s: not answered, but its tag became %q", names[i], a.Validators[names[i]])
		}
		if o == unchanged && known[names[i]] == "" {
			t.Errorf("%s: unchanged without a tag", names[i])
		}
		if (o == noneThere || o == unsure) && a.Validators[names[i]] != "" {
			t.Errorf("%s: %s, but keeps its tag", names[i], o)
		}
	}
	if r := a.Repository; r.Outcome == fresh {
		if _, err := ParseRef(r.Value.FullName); err != nil || r.Value.ID <= 0 || r.Value.Stars < 0 || r.Value.Forks < 0 {
			t.Errorf("broken repository %+v", r.Value)
		}
	} else if !a.Ref.IsZero() {
		t.Errorf("learnt the name %v from %q", a.Ref, r.Outcome)
	}
	seen := map[string]bool{}
	for _, l := range a.Contributors.Value {
		if l.Login == "" || seen[l.Login] {
			t.Errorf("broken contributors %v", a.Contributors.Value)
		}
		seen[l.Login] = true
	}
	if c := a.Commits; c.Outcome == fresh {
		if _, err := c.Value.Last.MarshalJSON(); err != nil || c.Value.Last.IsZero() == (len(a.Notes) == 0) || c.Value.Count < 0 || c.Value.Last.Location() != time.UTC {
			t.Errorf("broken commits %+v, %v; notes %q", c.Value, err, a.Notes)
		}
	}
	if p := a.Participation; p.Outcome == fresh && len(p.Value) != 52 {
		t.Errorf("%d weeks", len(p.Value))
	}
	if a.Charged > a.Requests {
		t.Errorf("%d of %d requests charged", a.Charged, a.Requests)
	}
}

func TestFetchUnchanged(t *testing.T) {
	for _, tt := range []struct {
		change  func(*Options)
		charged int
	}{{func(*Options) {}, 0}, {anonymous, 4}} {
		f := newFake()
		a := newClient(t, f, tt.change).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts, Known: allTags})
		want := Answer{Validators: allTags, Requests: 4, Charged: tt.charged}
		want.Repository.Outcome, want.Contributors.Outcome = unchanged, unchanged
		want.Commits.Outcome, want.Participation.Outcome = unchanged, unchanged
		if d := cmp.Diff(want, a); d != "" {
			t.Error("-want +got\n", d)
		}
		if want := []string{repoURI + ` if W/"r"`, usersURI + ` if W/"p1"`, comURI + ` if W/"c"`, weekURI + ` if W/"w"`}; !cmp.Equal(want, f.asked) {
			t.Errorf("asked %q", f.asked)
		}
	}
}

func TestFetchParts(t *testing.T) {
	for parts := range AllParts + 1 {
		f := newFake()
		known := Validators{"commits": `W/"c"`, "participation": `W/"old"`}
		a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: parts, Known: known})
		n := 0
		for i := range 4 {
			n += int(parts>>i) & 1
		}
		if a.Requests != n || len(f.asked) != n {
			t.Errorf("parts %04b: %d requests, asked %v", parts, a.Requests, f.asked)
		}
		checkAnswer(t, a, parts, known)
	}
}

func TestFetchValidators(t *testing.T) {
	f := newFake().
		set(repoURI, ok(repoJSON("o/n"))). // no ETag
		set(comURI, ok(commitJSON("2024-01-01T00:00:00Z")).with("ETag", "\"\x01\"")).
		set(weekURI, ok(weeksJSON(52, 0)).with("ETag", `"`+strings.Repeat("x", 300)+`"`))
	known := Validators{"repository": "old", "commits": "old", "participation": "old", "contributors/1": "old"}
	a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: AllParts, Known: known})
	if d := cmp.Diff(Validators{"contributors/1": `W/"p1"`}, a.Validators); d != "" {
		t.Error("stale or unusable tags: -want +got\n", d)
	}
}

func TestFetchCommits(t *testing.T) {
	may := time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC)
	authored := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		reply reply
		want  Commits
	}{
		"one commit has no Link":     {ok(commitJSON("2024-05-06T07:08:09+02:00")), Commits{may, 1}},
		"many":                       {ok(commitJSON("1970-01-01T00:00:00Z")).with("Link", lastLink(1300000)), Commits{time.Unix(0, 0).UTC(), 1300000}},
		"no committer, so by author": {ok(`[{"commit":{"author":{"date":"2001-01-01T00:00:00Z"}}}]`), Commits{authored, 1}},
		"unreadable, so by author":   {ok(commitJSON("yesterday")), Commits{authored, 1}},
		"zero, so by author":         {ok(commitJSON("0001-01-01T00:00:00Z")), Commits{authored, 1}},
		"beyond JSON, so by author":  {ok(commitJSON("9999-12-31T23:59:59-01:00")), Commits{authored, 1}},
		"committer a text":           {ok(`[{"commit":{"author":{"date":"2001-01-01T00:00:00Z"},"committer":"me"}}]`), Commits{authored, 1}},
		"author a text":              {ok(`[{"commit":{"author":"me","committer":{"date":"2024-05-06T05:08:09Z"}}}]`), Commits{may, 1}},
		"no date at all":             {ok(`[{"commit":{}}]`).with("Link", lastLink(7)), Commits{time.Time{}, 7}},
		"dates are numbers":          {ok(`[{"commit":{"author":{"date":7},"committer":{"date":8}}}]`).with("Link", lastLink(7)), Commits{time.Time{}, 7}},
		"null commit":                {ok(`[null]`), Commits{time.Time{}, 1}},
		"no last page": {ok(commitJSON("2024-05-06T05:08:09Z")).with("Link",
			`<https://api.test/x?page=2>; rel="next", <https://api.test/x?page=1>; rel="first"`), Commits{may, 0}},
		"an unreadable last page": {ok(commitJSON("2024-05-06T05:08:09Z")).with("Link", `<https://api.test/x?page=x>; rel="last"`), Commits{may, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newClient(t, newFake().set(comURI, tt.reply.with("ETag", `"c"`))).Fetch(t.Context(), Question{Ref: ref, Parts: PartCommits, Known: Validators{"commits": "old"}})
			if a.Commits.Outcome != fresh || a.Commits.Value != tt.want {
				t.Errorf("%+v, want %+v", a.Commits, tt.want)
			}
			var notes []string
			tags := Validators{"commits": `"c"`}
			if tt.want.Last.IsZero() {
				notes = []string{"GitHub gives no readable date for the newest commit; the last one known stays"}
				tags = Validators{}
			}
			if d := cmp.Diff(notes, a.Notes); d != "" {
				t.Error("notes: -want +got\n", d)
			}
			if d := cmp.Diff(tags, a.Validators); d != "" {
				t.Error("validators: -want +got\n", d)
			}
		})
	}
}

// TestFetchReadsOnlyWhatIsUsed: a field that nobody reads cannot fail an
// answer, and a number may be written in any way.
func TestFetchReadsOnlyWhatIsUsed(t *testing.T) {
	odd := `"custom_properties":{"kind":["service","tool"]},"pushed_at":"0001-01-01T00:00:00Z","created_at":"","updated_at":7,"owner":[],"license":"MIT","size":"big",`
	for _, stars := range []string{"1000", "1000.0", "1E3", "1.0e3"} {
		a := newClient(t, newFake().
			set(repoURI, ok(`{`+odd+`"id":7.0,"full_name":"o/n","stargazers_count":`+stars+`,"forks_count":4}`)).
			set(usersURI, ok(`[{"login":"ann","id":"seven","contributions":null,"site_admin":"no"}]`)).
			set(comURI, ok(`[{"sha":5,"author":[],"commit":{"message":{},"tree":7,"comment_count":"many","committer":{"name":5,"date":"2024-05-06T05:08:09Z"}}}]`)).
			set(weekURI, ok(strings.Replace(weeksJSON(52, 3), `"owner":[]`, `"owner":"nobody"`, 1)))).
			Fetch(t.Context(), Question{Ref: ref, Parts: AllParts})
		if got := outcomes(a); got != [4]upstream.Outcome{fresh, fresh, fresh, fresh} {
			t.Fatalf("%v: %v", got, errorsOf(a))
		}
		if want := (Repository{ID: 7, FullName: "o/n", Stars: 1000, Forks: 4}); a.Repository.Value != want {
			t.Errorf("stars %s: %+v", stars, a.Repository.Value)
		}
	}
}

// TestFetchOddFields: a field or an element of a wrong type counts as missing.
func TestFetchOddFields(t *testing.T) {
	repo := repoJSON("o/n")
	whole := Repository{ID: 7, FullName: "o/n", Stars: 11, Forks: 4, Archived: true}
	neither := whole
	neither.Archived = false
	may := time.Date(2024, 5, 6, 5, 8, 9, 0, time.UTC)
	users := []string{"ann", "bob"}
	for _, tt := range []struct {
		name, uri, body string
		repository      Repository
		users           []string
		last            time.Time
	}{
		{"description a list", repoURI, strings.Replace(repo, "null", `["x"]`, 1), whole, users, may},
		{"description a number", repoURI, strings.Replace(repo, "null", `7`, 1), whole, users, may},
		{"archived a text", repoURI, strings.Replace(repo, "true", `"no"`, 1), neither, users, may},
		{"archived a number", repoURI, strings.Replace(repo, "true", `0`, 1), neither, users, may},
		{"archived null", repoURI, strings.Replace(repo, "true", `null`, 1), neither, users, may},
		{"login a number", usersURI, `[{"login":"zoe"},{"login":7},{"login":"ann"}]`, whole, []string{"zoe", "ann"}, may},
		{"login an object", usersURI, `[{"login":{"login":"x"}},{"login":"ann"}]`, whole, []string{"ann"}, may},
		{"contributors that are none", usersURI, `[7,"zoe",null,[{"login":"x"}],{"login":"ann"},true]`, whole, []string{"ann"}, may},
		{"commit a text", comURI, `[{"commit":"x"}]`, whole, users, time.Time{}},
		{"commit a list", comURI, `[{"commit":[]}]`, whole, users, time.Time{}},
		{"a commit that is none", comURI, `["x"]`, whole, users, time.Time{}},
	} {
		f := newFake()
		f.set(tt.uri, f.replies[tt.uri][0].but(tt.body))
		a := newClient(t, f).Fetch(t.Context(), Question{Ref: ref, Parts: AllParts, Participants: 2})
		if got := outcomes(a); got != [4]upstream.Outcome{fresh, fresh, fresh, fresh} {
			t.Errorf("%s: %v: %v", tt.name, got, errorsOf(a))
		}
		if a.Repository.Value != tt.repository || !slices.Equal(record.Logins(a.Contributors.Value), tt.users) || a.Commits.Value != (Commits{tt.last, 7}) {
			t.Errorf("%s: %+v, %v, %+v", tt.name, a.Repository.Value, a.Contributors.Value, a.Commits.Value)
		}
		checkAnswer(t, a, AllParts, nil)
	}
}

func TestFetchBadRef(t *testing.T) {
	f := newFake()
	for _, ref := range []Ref{{}, {"o", ""}, {"o", ".."}, {"o", "n/../../user"}, {"o?", "n"}} {
		a := newClient(t, f).Fetch(t.Context(), Question{Ref: ref, Parts: AllParts})
		if got := outcomes(a); got != [4]upstream.Outcome{failed, failed, failed, failed} {
			t.Errorf("%v: %v", ref, got)
		}
	}
	if len(f.asked) != 0 {
		t.Errorf("asked %q", f.asked)
	}
}

func TestFetchCanceled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopping"))
	f := newFake()
	a := newClient(t, f).Fetch(ctx, Question{Ref: Ref{"o", "n"}, Parts: AllParts, Known: allTags})
	if got := outcomes(a); got != [4]upstream.Outcome{upstream.Canceled, upstream.Canceled, upstream.Canceled, upstream.Canceled} {
		t.Errorf("%v: %v", got, a.Repository.Err)
	}
	if len(f.asked) != 0 || a.Requests != 0 || a.Charged != 0 {
		t.Errorf("asked %q, %d requests, %d charged", f.asked, a.Requests, a.Charged)
	}
	if !strings.Contains(a.Repository.Err.Error(), "stopping") {
		t.Errorf("the error does not say why: %v", a.Repository.Err)
	}
	checkAnswer(t, a, AllParts, allTags)
}

func TestContributorsOrder(t *testing.T) {
	f := newFake().set(usersURI, ok(`[{"login":"zoe"},{"type":"Anonymous","name":"x"},{"login":"ann"},null,{"login":"zoe"},{"login":"dependabot[bot]"}]`))
	a := newClient(t, f).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartContributors})
	if want := []string{"zoe", "ann", "dependabot[bot]"}; !cmp.Equal(want, record.Logins(a.Contributors.Value)) {
		t.Errorf("%v, want %v", a.Contributors.Value, want)
	}
}

func TestNewRefuses(t *testing.T) {
	good := Options{BaseURL: "https://api.github.com"}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no base":         func(o *Options) { o.BaseURL = "" },
		"relative base":   func(o *Options) { o.BaseURL = "api.github.com" },
		"token with line": func(o *Options) { o.Token = canary + "\n" },
		"reserve":         func(o *Options) { o.Reserve = -1 },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
