package sim

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type person struct {
	Login         string `json:"login"`
	ID            int64  `json:"id"`
	Type          string `json:"type"`
	Contributions int    `json:"contributions"`
}

type commit struct {
	SHA    string `json:"sha"`
	Commit struct {
		Committer struct {
			Date time.Time `json:"date"`
		} `json:"committer"`
	} `json:"commit"`
	Author  *person `json:"author"`
	Parents []struct {
		SHA string `json:"sha"`
	} `json:"parents"`
}

type weeks struct {
	All   []int `json:"all"`
	Owner []int `json:"owner"`
}

func TestRepository(t *testing.T) {
	w, r, _ := small(t, Options{})
	got := decode[map[string]any](t, asGitHub(t, w, "/repos/otter/KETTLE"))
	want := map[string]any{
		"id": float64(r.ID), "node_id": r.NodeID, "full_name": "Otter/Kettle", "name": "Kettle", "description": "a <kettle> & “more”",
		"stargazers_count": 42., "watchers_count": 42., "subscribers_count": 3., "forks_count": 7., "archived": false, "disabled": false,
		"pushed_at": "2026-03-17T12:00:00Z", "html_url": "https://github.com/Otter/Kettle", "default_branch": "main", "license": nil,
	}
	for k, v := range want {
		if diff := cmp.Diff(v, got[k]); diff != "" {
			t.Errorf("%s: %s", k, diff)
		}
	}
	if owner := got["owner"].(map[string]any); owner["login"] != "Otter" || owner["type"] != "User" {
		t.Errorf("owner %v", owner)
	}
	w.Edit(func() { r.Description, r.Archived, r.License = nil, true, "MIT" })
	got = decode[map[string]any](t, asGitHub(t, w, fmt.Sprintf("/repositories/%d", r.ID)))
	if got["description"] != nil || got["archived"] != true || got["license"].(map[string]any)["spdx_id"] != "MIT" {
		t.Errorf("after the edit: %v, %v, %v", got["description"], got["archived"], got["license"])
	}
}

// Buckets of seven days end at today's midnight, where a commit of today belongs to none.
func TestParticipationBuckets(t *testing.T) {
	w := New(Options{Now: noon, NoPending: true})
	end := midnight(noon())
	w.AddRepo(&Repo{FullName: "o/n", Commits: []Commit{
		{At: end.Add(time.Hour), Author: "o"},                       // today
		{At: end.Add(-time.Second), Author: "o"},                    // last
		{At: end.Add(-7*day + time.Second), Author: "x"},            // last
		{At: end.Add(-7*day - time.Second), Author: ""},             // last but one
		{At: end.Add(-8 * day), Author: "x", Merge: true},           // last but one
		{At: end.Add(-52*7*day + time.Second), Author: "x"},         // first
		{At: end.Add(-52*7*day - time.Second), Author: "o"},         // too old
		{At: end.Add(-20*7*day - 3*day - 5*time.Hour), Author: "o"}, // the 21st from the end
	}})
	got := decode[weeks](t, asGitHub(t, w, "/repos/o/n/stats/participation"))
	want := weeks{make([]int, 52), make([]int, 52)}
	want.All[51], want.All[50], want.All[0], want.All[31] = 2, 2, 1, 1
	want.Owner[51], want.Owner[31] = 1, 1
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	w.Advance(day) // the buckets move every day
	got = decode[weeks](t, asGitHub(t, w, "/repos/o/n/stats/participation"))
	if got.All[51] != 2 || got.All[50] != 3 || got.All[0] != 0 {
		t.Errorf("a day later: %v", got.All)
	}
}

func TestPendingPerHead(t *testing.T) {
	w, r, _ := small(t, Options{})
	w.Edit(func() { r.Pending = 2 })
	statuses := func() (list []int) {
		for range 4 {
			a := asGitHub(t, w, "/repos/otter/kettle/stats/participation")
			if a.status == 202 && a.body != "{}" {
				t.Errorf("202 with %q", a.body)
			}
			list = append(list, a.status)
		}
		return list
	}
	if got := statuses(); !cmp.Equal(got, []int{202, 202, 200, 200}) {
		t.Error("at first", got)
	}
	w.Edit(func() { r.Stars++ })
	if got := statuses(); !cmp.Equal(got, []int{200, 200, 200, 200}) {
		t.Error("without a push", got)
	}
	w.Edit(func() { r.Commits = append(r.Commits, Commit{At: noon()}) })
	if got := statuses(); !cmp.Equal(got, []int{202, 202, 200, 200}) {
		t.Error("after a push", got)
	}
}

func TestEmptyRepository(t *testing.T) {
	w := New(Options{Now: noon})
	w.AddRepo(&Repo{FullName: "o/n", Pending: 1})
	if a := asGitHub(t, w, "/repos/o/n/commits?per_page=1"); a.status != 409 || !strings.Contains(a.body, "Git Repository is empty") {
		t.Error(a)
	}
	if a := asGitHub(t, w, "/repos/o/n/contributors"); a.status != 204 || a.body != "" {
		t.Error(a)
	}
	if got := decode[weeks](t, asGitHub(t, w, "/repos/o/n/stats/participation")); !cmp.Equal(got.All, make([]int, 52)) {
		t.Error(got)
	}
}

func TestWithheld(t *testing.T) {
	w, r, _ := small(t, Options{})
	for _, tc := range []struct {
		blocked string
		status  int
	}{{"dmca", 451}, {"tos", 403}} {
		w.Edit(func() { r.Blocked = tc.blocked })
		a := asGitHub(t, w, "/repos/otter/kettle")
		if a.status != tc.status || !strings.Contains(a.body, `"block":{"reason":"`+tc.blocked+`"`) {
			t.Error(tc, a)
		}
	}
	w.Edit(func() { r.Blocked, r.TooLarge = "", true })
	if a := asGitHub(t, w, "/repos/otter/kettle/contributors"); a.status != 403 || !strings.Contains(a.body, "too large") {
		t.Error(a)
	}
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 200 {
		t.Error(a)
	}
}

func TestConditionalRequestsAndBudget(t *testing.T) {
	clock := noon()
	w, r, _ := small(t, Options{Limit: 5, AnonymousLimit: 2, Now: func() time.Time { return clock }})
	rates := func(a reply) string {
		h := a.header
		return h.Get("X-RateLimit-Limit") + " " + h.Get("X-RateLimit-Remaining") + " " + h.Get("X-RateLimit-Used") + " " + h.Get("X-RateLimit-Resource")
	}
	first := asGitHub(t, w, "/repos/otter/kettle")
	tag := first.header.Get("ETag")
	if !regexp.MustCompile(`^W/"[0-9a-f]{64}"$`).MatchString(tag) || rates(first) != "5 4 1 core" {
		t.Fatalf("tag %s, rates %s", tag, rates(first))
	}
	if reset := first.header.Get("X-RateLimit-Reset"); reset != fmt.Sprint(noon().Add(time.Hour).Unix()) {
		t.Errorf("reset %s", reset)
	}
	for range 3 { // free with a credential
		a := asGitHub(t, w, "/repos/otter/kettle", "If-None-Match", `"other", `+tag)
		if a.status != 304 || a.body != "" || a.header.Get("ETag") != tag || rates(a) != "5 4 1 core" {
			t.Errorf("%d %q %s", a.status, a.body, rates(a))
		}
	}
	other := ask(t, w, "/repos/otter/kettle", "Authorization", "Bearer two")
	if other.header.Get("ETag") == tag || other.body != first.body {
		t.Error("tags must differ by credential, bodies not")
	}
	w.Edit(func() { r.Stars++ })
	if a := asGitHub(t, w, "/repos/otter/kettle", "If-None-Match", tag); a.status != 200 || a.header.Get("ETag") == tag {
		t.Errorf("changed, but %d", a.status)
	}
	w.Edit(func() { r.Stars-- })
	if a := asGitHub(t, w, "/repos/otter/kettle", "If-None-Match", tag); a.status != 304 {
		t.Errorf("changed back, but %d", a.status)
	}
	if a := asGitHub(t, w, "/repos/nobody/nothing"); a.status != 404 || rates(a) != "5 2 3 core" {
		t.Errorf("%d %s", a.status, rates(a))
	}
	asGitHub(t, w, "/repos/otter/kettle/commits")
	asGitHub(t, w, "/repos/otter/kettle/commits")
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 403 || rates(a) != "5 0 5 core" || !strings.Contains(a.body, "API rate limit exceeded") {
		t.Errorf("%d %s %s", a.status, rates(a), a.body)
	}
	s := w.Stats()
	if s.GitHub.Charged != 6 || s.GitHub.OverBudget != 1 || s.GitHub.Requests != 11 || s.GitHub.ByStatus["304"] != 4 || s.Violations != 0 {
		t.Errorf("%+v", s)
	}
	// Anonymous: by address, and a 304 costs too.
	tag = ask(t, w, "/repos/otter/kettle").header.Get("ETag")
	if a := ask(t, w, "/repos/otter/kettle", "If-None-Match", tag); a.status != 304 || rates(a) != "2 0 2 core" {
		t.Errorf("%d %s", a.status, rates(a))
	}
	clock = clock.Add(time.Hour)
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 200 || rates(a) != "5 4 1 core" {
		t.Errorf("after the reset: %d %s", a.status, rates(a))
	}
}

func TestOverBudgetViolation(t *testing.T) {
	w, _, _ := small(t, Options{Limit: 1})
	for range 1 + maxInFlight {
		asGitHub(t, w, "/repos/otter/kettle")
	}
	if s := w.Stats(); s.Violations != 0 {
		t.Errorf("%v", s.ViolationKinds)
	}
	asGitHub(t, w, "/repos/otter/kettle")
	if s := w.Stats(); s.ViolationKinds[OverBudget] != 1 || len(s.LastViolations) != 1 || s.LastViolations[0].Path != "/repos/otter/kettle" {
		t.Errorf("%+v", s)
	}
	w.ResetStats()
	if s := w.Stats(); s.Violations != 0 || s.Requests != 0 {
		t.Errorf("%+v", s)
	}
}

func TestCredential(t *testing.T) {
	w, _, _ := small(t, Options{Token: "secret"})
	for header, want := range map[string]int{"": 200, "Bearer secret": 200, "token secret": 200, "Bearer wrong": 401} {
		if a := ask(t, w, "/repos/otter/kettle", "Authorization", header); a.status != want {
			t.Errorf("%q: %d", header, a.status)
		}
	}
}

var linkPart = regexp.MustCompile(`^<http://sim(/repositories/\d+/[a-z]+\?[^>]+)>; rel="(\w+)"$`)

func links(t *testing.T, a reply) map[string]string {
	m := map[string]string{}
	if a.header.Get("Link") == "" {
		return m
	}
	for part := range strings.SplitSeq(a.header.Get("Link"), ", ") {
		x := linkPart.FindStringSubmatch(part)
		if x == nil {
			t.Fatalf("Link %s", part)
		}
		m[x[2]] = x[1]
	}
	return m
}

func TestPagination(t *testing.T) {
	w, r, _ := small(t, Options{})
	w.Edit(func() {
		for i := range 640 {
			r.Extra = append(r.Extra, Contributor{fmt.Sprintf("extra%03d", i), 1})
		}
	})
	var logins []string
	next, pages := "/repos/otter/kettle/contributors?per_page=100", 0
	for next != "" {
		a := asGitHub(t, w, next)
		for _, p := range decode[[]person](t, a) {
			logins = append(logins, p.Login)
		}
		l := links(t, a)
		if pages++; pages < 5 && !strings.HasSuffix(l["last"], "?per_page=100&page=5") {
			t.Errorf("page %d: last %s", pages, l["last"])
		}
		if (pages > 1) != (l["prev"] != "" && l["first"] != "") {
			t.Errorf("page %d: %v", pages, l)
		}
		next = l["next"]
	}
	if pages != 5 || len(logins) != 500 || logins[0] != "weevil" || logins[1] != "Otter" || logins[2] != "extra000" {
		t.Errorf("%d pages, %d logins, %v", pages, len(logins), logins[:3])
	}
	for query, want := range map[string]int{"": 30, "?per_page=0": 30, "?per_page=x&page=-1": 30, "?per_page=1000": 100, "?per_page=7&page=2": 7, "?per_page=100&page=6": 0, "?page=99999999999999999999": 30, "?per_page=100&page=1073741823": 0} {
		if got := decode[[]person](t, asGitHub(t, w, "/repos/otter/kettle/contributors"+query)); len(got) != want {
			t.Errorf("%s: %d", query, len(got))
		}
	}
	a := asGitHub(t, w, "/repos/otter/kettle/commits?per_page=1")
	if l := links(t, a); !strings.HasSuffix(l["last"], "/commits?per_page=1&page=10") || l["prev"] != "" {
		t.Errorf("commits: %v", l)
	}
	if got := decode[[]commit](t, a); len(got) != 1 || !got[0].Commit.Committer.Date.Equal(at(1)) || got[0].Author.Login != "Otter" {
		t.Errorf("newest: %+v", got)
	}
	w.AddRepo(&Repo{FullName: "o/single", Commits: []Commit{{At: at(3)}}})
	a = asGitHub(t, w, "/repos/o/single/commits?per_page=1")
	if got := decode[[]commit](t, a); len(got) != 1 || got[0].Author != nil || a.header.Get("Link") != "" {
		t.Errorf("single: %+v, Link %q", got, a.header.Get("Link"))
	}
}

func TestCommitsAreAChain(t *testing.T) {
	w, _, _ := small(t, Options{})
	list := decode[[]commit](t, asGitHub(t, w, "/repos/otter/kettle/commits"))
	if len(list) != 10 || len(list[9].Parents) != 0 || len(list[4].Parents) != 2 {
		t.Fatalf("%+v", list)
	}
	for i := range 9 {
		if list[i].Parents[0].SHA != list[i+1].SHA || len(list[i].SHA) != 40 {
			t.Errorf("commit %d: %+v", i, list[i])
		}
	}
}

func TestMoves(t *testing.T) {
	w, r, _ := small(t, Options{})
	w.Rename("otter/kettle", "otter/second")
	if w.Rename("Otter/Second", "Weevil/Third") != r || w.Repo("otter/kettle") != r || w.Rename("no/body", "x/y") != nil {
		t.Fatal("rename")
	}
	for _, old := range []string{"otter/kettle", "OTTER/second"} {
		a := asGitHub(t, w, "/repos/"+old+"/commits?per_page=1")
		if want := fmt.Sprintf("http://sim/repositories/%d/commits?per_page=1", r.ID); a.status != 301 || a.header.Get("Location") != want {
			t.Errorf("%s: %d to %s", old, a.status, a.header.Get("Location"))
		}
	}
	a := asGitHub(t, w, "/repos/otter/kettle")
	got := decode[map[string]any](t, asGitHub(t, w, strings.TrimPrefix(a.header.Get("Location"), "http://sim")))
	if got["full_name"] != "Weevil/Third" {
		t.Error(got["full_name"])
	}
	w.Edit(func() { r.MoveStatus = http.StatusTemporaryRedirect })
	if a := asGitHub(t, w, "/repos/otter/kettle"); a.status != 307 {
		t.Error(a.status)
	}
	if a := asGitHub(t, w, "/repos/weevil/third"); a.status != 200 {
		t.Error(a.status)
	}
	w.RemoveRepo("weevil/third")
	for _, gone := range []string{"/repos/weevil/third", "/repos/otter/kettle", fmt.Sprintf("/repositories/%d", r.ID)} {
		if a := asGitHub(t, w, gone); a.status != 404 || !strings.Contains(a.body, `"message":"Not Found"`) {
			t.Error(gone, a)
		}
	}
}

func TestAPIVersion(t *testing.T) {
	w, _, _ := small(t, Options{})
	for version, want := range map[string]int{"": 200, "2022-11-28": 200, "2026-03-10": 200, "2019-01-01": 400} {
		a := asGitHub(t, w, "/repos/otter/kettle", "X-GitHub-Api-Version", version)
		if got := a.header.Get("X-GitHub-Api-Version-Selected"); a.status != want || version != "" && want == 200 && got != version {
			t.Errorf("%q: %d, %q", version, a.status, got)
		}
	}
}
