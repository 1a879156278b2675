package github

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

func TestDoubts(t *testing.T) {
	const users, commits, participation = PartContributors, PartCommits, PartParticipation
	for _, tt := range []struct {
		name string
		t    testimony // contributors, commits, participation, ...
		want Parts
	}{
		{"no answers", testimony{}, 0},
		{"a repository like most", testimony{contributors: someCommits, commits: someCommits, participation: someCommits}, 0},
		{"a quiet year", testimony{contributors: someCommits, commits: someCommits}, 0},

		{"empty, all agree", testimony{contributors: nothingThere, commits: emptyRepository, participation: nothingThere, knownCommits: 7, knownLogins: 2}, 0},
		{"empty, all say 409", testimony{contributors: emptyRepository, commits: emptyRepository, participation: emptyRepository, knownCommits: 7}, 0},
		{"empty, zero weeks", testimony{contributors: nothingThere, commits: emptyRepository, knownCommits: 7}, 0},
		{"empty, an empty list", testimony{contributors: noLogins, commits: emptyRepository, knownCommits: 7, knownLogins: 2}, 0},
		{"no commits, 409 elsewhere", testimony{contributors: emptyRepository, commits: nothingThere, knownCommits: 7}, 0},
		{"409 alone, nothing known", testimony{commits: emptyRepository}, 0},
		{"409 alone, commits known", testimony{commits: emptyRepository, knownCommits: 7}, commits},
		{"409 alone, contributors known", testimony{commits: emptyRepository, knownLogins: 2}, commits},
		{"409 alone, for a day", testimony{commits: emptyRepository, knownCommits: 7, stood: commits}, 0},
		{"409 alone, for a day of another part", testimony{commits: emptyRepository, knownCommits: 7, stood: users}, commits},
		{"409 for a day, weeks left", testimony{commits: emptyRepository, participation: someCommits, stood: commits}, commits | participation},

		{"204 alone", testimony{participation: nothingThere}, participation},
		{"204 alone, for a day", testimony{participation: nothingThere, stood: participation}, participation},
		{"none says 409", testimony{contributors: nothingThere, commits: nothingThere, participation: nothingThere}, users | commits | participation},
		{"contributors and weeks gone", testimony{contributors: nothingThere, commits: someCommits, participation: nothingThere}, users | participation},
		{"commits gone", testimony{contributors: someCommits, commits: nothingThere, participation: someCommits, stood: commits}, commits},
		{"commits gone, weeks left", testimony{commits: nothingThere, participation: someCommits}, commits},
		{"commits 409, contributors left", testimony{contributors: someCommits, commits: emptyRepository, participation: nothingThere}, users | commits | participation},
		{"commits 409, weeks left", testimony{contributors: nothingThere, commits: emptyRepository, participation: someCommits}, users | commits | participation},
		{"weeks 409, commits there", testimony{contributors: someCommits, commits: someCommits, participation: emptyRepository}, participation},

		{"no logins, none known", testimony{contributors: noLogins, commits: someCommits}, 0},
		{"no logins, some known", testimony{contributors: noLogins, commits: someCommits, knownLogins: 2}, users},
		{"no logins for a day", testimony{contributors: noLogins, commits: someCommits, knownLogins: 2, stood: users}, 0},

		{"a list cut short", testimony{contributors: someCommits, cutShort: true, commits: someCommits}, users},
		{"a list cut short for a day", testimony{contributors: someCommits, cutShort: true, commits: someCommits, stood: users}, 0},
		{"a list cut short speaks against 409", testimony{contributors: someCommits, cutShort: true, commits: emptyRepository, stood: users | commits}, users | commits},
	} {
		d := tt.t.doubts()
		if got := d.parts(); got != tt.want {
			t.Errorf("%s: doubts %04b, want %04b: %+v", tt.name, got, tt.want, d)
		}
	}
}

func TestFetchDoubts(t *testing.T) {
	nothing, isEmpty, emptyList := refuse(204, ""), refuse(409, ""), ok(`[]`)
	users, commits, weeks := newFake().replies[usersURI][0], newFake().replies[comURI][0], newFake().replies[weekURI][0]
	old := maps.Clone(allTags)
	old["commits"] = "old"
	for _, tt := range []struct {
		name  string
		fake  *fake
		q     Question
		want  [3]upstream.Outcome // contributors, commits, participation
		again []string            // asked beyond the first question
	}{
		{"emptied", newFake().set(usersURI, nothing).set(comURI, isEmpty).set(weekURI, nothing),
			Question{Known: allTags, Commits: 7, Participants: 2}, [3]upstream.Outcome{noneThere, noneThere, noneThere}, nil},
		{"emptied, weeks never computed", newFake().set(usersURI, nothing).set(comURI, isEmpty).set(weekURI, refuse(202, "{}")),
			Question{Commits: 7, Participants: 2}, [3]upstream.Outcome{noneThere, noneThere, noneThere}, nil},
		{"emptied, of which one part does not know at first", newFake().set(usersURI, users, nothing).set(comURI, isEmpty).set(weekURI, nothing),
			Question{Known: allTags, Commits: 7, Participants: 2}, [3]upstream.Outcome{noneThere, noneThere, noneThere}, []string{usersURI, comURI, weekURI}},
		{"commits alone say empty", newFake().set(comURI, isEmpty),
			Question{Parts: PartCommits, Commits: 7}, [3]upstream.Outcome{none, unsure, none}, []string{comURI}},
		{"commits alone say empty, contributors known", newFake().set(comURI, isEmpty),
			Question{Parts: PartCommits, Participants: 2}, [3]upstream.Outcome{none, unsure, none}, []string{comURI}},
		{"commits alone say empty, nothing known", newFake().set(comURI, isEmpty),
			Question{Parts: PartCommits}, [3]upstream.Outcome{none, noneThere, none}, nil},
		{"commits alone can answer, and say empty", newFake().set(comURI, isEmpty).set(usersURI, refuse(502, "")).set(weekURI, refuse(202, "{}")),
			Question{Commits: 7}, [3]upstream.Outcome{failed, unsure, upstream.Pending}, []string{comURI}},
		{"commits alone say empty, once", newFake().set(comURI, isEmpty, commits),
			Question{Parts: PartCommits, Commits: 7}, [3]upstream.Outcome{none, fresh, none}, []string{comURI}},
		{"healthy, 204 twice over", newFake().set(usersURI, nothing).set(weekURI, nothing),
			Question{Known: allTags, Commits: 7, Participants: 2}, [3]upstream.Outcome{unsure, unchanged, unsure}, []string{usersURI, weekURI}},
		{"healthy, 204 once", newFake().set(usersURI, nothing, users).set(weekURI, nothing, weeks),
			Question{Known: allTags, Commits: 7, Participants: 2}, [3]upstream.Outcome{fresh, unchanged, fresh}, []string{usersURI, weekURI}},
		{"healthy, no commits once", newFake().set(comURI, emptyList, commits),
			Question{Commits: 7}, [3]upstream.Outcome{fresh, fresh, fresh}, []string{comURI}},
		{"healthy, no commits", newFake().set(comURI, emptyList),
			Question{Known: old, Commits: 7, Participants: 2}, [3]upstream.Outcome{unchanged, unsure, unchanged}, []string{comURI}},
		{"nobody known and nobody listed", newFake().set(usersURI, emptyList),
			Question{}, [3]upstream.Outcome{fresh, fresh, fresh}, nil},
		{"nobody listed since a new commit", newFake().set(usersURI, emptyList),
			Question{Known: old, Commits: 6, Participants: 2}, [3]upstream.Outcome{unsure, fresh, unchanged}, []string{usersURI}},
		{"nobody listed, number of commits unknown", newFake().set(usersURI, emptyList).set(comURI, commits.with("Link", `<https://api.test/x?page=2>; rel="next"`)),
			Question{Known: old, Commits: 7, Participants: 2}, [3]upstream.Outcome{unsure, fresh, unchanged}, []string{usersURI}},
		{"a page is empty where more were to follow", newFake().userPages(2).set(usersPage(2), emptyList),
			Question{Commits: 7, Participants: 2}, [3]upstream.Outcome{unsure, fresh, fresh}, []string{usersURI, usersPage(2)}},
		{"a page is missing where more were to follow", newFake().userPages(3).set(usersPage(2), nothing),
			Question{}, [3]upstream.Outcome{unsure, fresh, fresh}, []string{usersURI, usersPage(2)}},
		{"a page is empty and links to the next", newFake().userPages(2).set(usersURI, userPage(1, true).but(`[]`)),
			Question{}, [3]upstream.Outcome{unsure, fresh, fresh}, []string{usersURI}},
		{"a page is empty once", newFake().userPages(2).set(usersPage(2), emptyList, userPage(2, false)),
			Question{Commits: 7, Participants: 2}, [3]upstream.Outcome{fresh, fresh, fresh}, []string{usersURI, usersPage(2)}},
		{"a page of those without an account", newFake().userPages(2).set(usersPage(2), ok(`[{"type":"Anonymous"}]`)),
			Question{Commits: 7, Participants: 2}, [3]upstream.Outcome{fresh, fresh, fresh}, nil},
		{"nobody listed, commits unchanged", newFake().set(usersURI, emptyList),
			Question{Known: allTags, Commits: 7, Participants: 2}, [3]upstream.Outcome{unsure, unchanged, unchanged}, []string{usersURI}},
		{"nobody listed, as many commits as known", newFake().set(usersURI, emptyList),
			Question{Commits: 7, Participants: 2}, [3]upstream.Outcome{unsure, fresh, fresh}, []string{usersURI}},
		{"nobody listed once", newFake().set(usersURI, emptyList, users),
			Question{Known: allTags, Commits: 7, Participants: 2}, [3]upstream.Outcome{fresh, unchanged, unchanged}, []string{usersURI}},
		{"failed when asked again", newFake().set(usersURI, nothing, refuse(500, "")),
			Question{}, [3]upstream.Outcome{failed, fresh, fresh}, []string{usersURI}},
		{"limited when asked again", newFake().set(usersURI, nothing, refuse(429, "")).set(weekURI, nothing),
			Question{}, [3]upstream.Outcome{limited, fresh, limited}, []string{usersURI}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := tt.q
			q.Ref = ref
			if q.Parts == 0 {
				q.Parts = AllParts &^ PartRepository
			}
			a := newClient(t, tt.fake).Fetch(t.Context(), q)
			all := outcomes(a)
			if got := [3]upstream.Outcome(all[1:]); got != tt.want {
				t.Errorf("outcomes %v, want %v: %v", got, tt.want, errorsOf(a))
			}
			var again []string
			seen := map[string]bool{}
			for _, asked := range tt.fake.asked {
				uri, _, _ := strings.Cut(asked, " if ")
				if seen[uri] {
					again = append(again, asked)
				}
				seen[uri] = true
			}
			if d := cmp.Diff(tt.again, again, cmpopts.EquateEmpty()); d != "" {
				t.Error("asked again: -want +got\n", d)
			}
			if a.Requests != len(tt.fake.asked) {
				t.Errorf("said %d requests, sent %d", a.Requests, len(tt.fake.asked))
			}
			checkAnswer(t, a, q.Parts, q.Known)
		})
	}
}

const emptySince = "contributors/empty-since"

// TestDoubtsEnd: what only the known speaks against is believed after a day, unless
// something has contradicted it meanwhile.
func TestDoubtsEnd(t *testing.T) {
	const almost = doubtLasts - time.Second
	healthy := newFake().replies[comURI][0]
	for _, tt := range []struct {
		name      string
		part      Parts
		uri       string
		reply     reply
		meanwhile reply // to weekURI, in the middle of the day
		want      upstream.Outcome
	}{
		{"a lone 409", PartCommits, comURI, refuse(409, ""), refuse(502, ""), noneThere},
		{"a 409 that was contradicted", PartCommits, comURI, refuse(409, ""), ok(weeksJSON(52, 3)), unsure},
		{"a list cut short", PartContributors, usersPage(2), ok(`[]`), refuse(502, ""), fresh},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake().userPages(2).set(weekURI, refuse(502, "")).set(tt.uri, tt.reply)
				c := newClient(t, f)
				known := Validators{}
				var logins []string
				fetch := func() upstream.Outcome {
					a := c.Fetch(t.Context(), Question{Ref: ref, Parts: tt.part | PartParticipation, Known: known, Commits: 7, Participants: 2})
					known = a.Validators
					if tt.part == PartCommits {
						return a.Commits.Outcome
					}
					logins = record.Logins(a.Contributors.Value)
					return a.Contributors.Outcome
				}
				if got := fetch(); got != unsure {
					t.Errorf("at first %v", got)
				}
				time.Sleep(almost)
				f.set(weekURI, tt.meanwhile)
				if got := fetch(); got != unsure {
					t.Errorf("before the end of the day %v", got)
				}
				time.Sleep(time.Second)
				f.set(weekURI, refuse(502, ""))
				if got := fetch(); got != tt.want {
					t.Errorf("after a day %v, want %v", got, tt.want)
				}
				if want := []string{"u1", "all"}; tt.part == PartContributors && !slices.Equal(logins, want) {
					t.Errorf("contributors %q, want %q", logins, want)
				}
				f.set(tt.uri, healthy)
				f.userPages(2)
				if fetch(); known["commits"+doubted] != "" || known[emptySince] != "" {
					t.Errorf("still in doubt: %v", known)
				}
			})
		})
	}
}

// TestEmptyListStands has a repository without new commits lose the account of
// its only contributor.
func TestEmptyListStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake().set(usersURI, ok(`[]`).with("ETag", `"none"`))
		c := newClient(t, f)
		known := Validators{"contributors/1": `W/"p1"`, "commits": `W/"c"`}
		fetch := func(want upstream.Outcome) Answer {
			t.Helper()
			a := c.Fetch(t.Context(), Question{Ref: ref, Parts: PartContributors | PartCommits, Known: known, Commits: 7, Participants: 2})
			if a.Contributors.Outcome != want {
				t.Fatalf("%v, want %v: %v", a.Contributors.Outcome, want, a.Contributors.Err)
			}
			known = a.Validators
			return a
		}
		fetch(unsure)
		since := known[emptySince]
		if _, err := time.Parse(time.RFC3339, since); err != nil {
			t.Fatalf("since %q: %v", since, err)
		}
		time.Sleep(doubtLasts - time.Second)
		if fetch(unsure); known[emptySince] != since {
			t.Errorf("in doubt since %s, not %s", known[emptySince], since)
		}
		time.Sleep(time.Second)
		if a := fetch(fresh); len(a.Contributors.Value) != 0 {
			t.Errorf("%v", a.Contributors.Value)
		}
		if d := cmp.Diff(Validators{"contributors/1": `"none"`, "commits": `W/"c"`}, known); d != "" {
			t.Error("-want +got\n", d)
		}

		known = Validators{"commits": `W/"c"`, emptySince: time.Now().Add(time.Hour).Format(time.RFC3339)}
		fetch(unsure)
		if got, err := time.Parse(time.RFC3339, known[emptySince]); err != nil || got.After(time.Now()) {
			t.Errorf("a time of a clock that was wrong stays: %v, %v", got, err)
		}
		f.set(usersURI, ok(`[{"login":"ann"}]`))
		if fetch(fresh); known[emptySince] != "" {
			t.Errorf("still in doubt: %v", known)
		}
	})
}
