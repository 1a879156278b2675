package sim

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func hours(n float64) time.Time { return noon().Add(time.Duration(n * float64(time.Hour))) }

func authors(list []Commit) (names []string) {
	for _, c := range list {
		names = append(names, c.Author)
	}
	return names
}

// Commits of a merged branch come by their dates, behind the former head if they are older.
func TestMergedBranchIsInterleaved(t *testing.T) {
	clock := hours(0)
	w := New(Options{Now: func() time.Time { return clock }})
	r := w.AddRepo(&Repo{FullName: "o/n", Commits: []Commit{{At: hours(-48), Author: "base"}, {At: hours(-5), Author: "head"}}})
	w.Merge(r, 1, Commit{At: hours(-40), Author: "early"}, Commit{At: hours(-2), Author: "late"}, Commit{At: hours(0), Author: "merge"})
	list := w.Commits(r)
	if diff := cmp.Diff([]string{"merge", "late", "head", "early", "base"}, authors(list)); diff != "" {
		t.Error(diff)
	}
	if want := []string{list[2].OID, list[1].OID}; !slices.Equal(list[0].Parents, want) || !list[0].Merge {
		t.Errorf("the merge has the parents %v, want %v", list[0].Parents, want)
	}
	if !slices.Equal(list[3].Parents, []string{list[4].OID}) {
		t.Errorf("the branch left at %v", list[3].Parents)
	}
}

// A commit of a parent that is dated after it comes first all the same.
func TestChildBeforeParent(t *testing.T) {
	w := New(Options{Now: noon})
	r := w.AddRepo(&Repo{FullName: "o/n", Commits: []Commit{
		{At: hours(5), Pushed: hours(-9), Author: "future"}, {At: hours(-8), Author: "present"},
	}})
	if got := authors(w.Commits(r)); !slices.Equal(got, []string{"present", "future"}) {
		t.Error(got)
	}
}

func TestForcedPushes(t *testing.T) {
	clock := hours(0)
	w := New(Options{Now: func() time.Time { return clock }})
	r := w.AddRepo(&Repo{FullName: "o/n"})
	if oids := w.Push(r, Commit{Author: "a"}, Commit{Author: "b"}, Commit{Author: "c"}); len(oids) != 3 {
		t.Fatal(oids)
	}
	first := w.Commits(r)
	clock = hours(1)
	w.ForcePush(r, 2, Commit{Author: "d"})
	if got := authors(w.Commits(r)); !slices.Equal(got, []string{"d", "a"}) {
		t.Error("forced:", got)
	}
	w.ResetHead(r, first[1].OID)
	if got := authors(w.Commits(r)); !slices.Equal(got, []string{"b", "a"}) {
		t.Error("back:", got)
	}
	if people := r.contributors(r.graph(clock)); len(people) != 2 {
		t.Error("contributors that no branch has:", people)
	}
	w.Push(r, Commit{Author: "e"})
	if got := authors(w.Commits(r)); !slices.Equal(got, []string{"e", "b", "a"}) {
		t.Error("after a push:", got)
	}
}

// What is found without building the graph is what the graph says.
func TestTip(t *testing.T) {
	h := lively()
	moved, kinds := 0, map[pushKind]int{}
	var last oid
	b := newBuilder(h)
	for hour := range 24 * 700 {
		now := h.anchor.Add(time.Duration(hour) * time.Hour)
		for _, p := range h.pushes(now.Unix() / 86400) {
			if hour%24 == 0 {
				kinds[p.kind]++
			}
		}
		if hour%7 > 0 {
			continue
		}
		b.advance(now)
		o, committed := h.tip(now)
		if n := b.nodes[b.head]; n.oid != o || n.committed != committed {
			t.Fatalf("after %d hours: %v of %d, the graph says %v of %d", hour, o, committed, n.oid, n.committed)
		}
		if o != last {
			moved++
		}
		last = o
	}
	if moved < 200 || len(kinds) != 8 {
		t.Errorf("the head moved %d times, by %v", moved, kinds)
	}
}

// lively is the history of a repository to which everything happens.
func lively() *repoHistory {
	anchor := midnight(noon())
	return &repoHistory{world: 1, seed: 2, anchor: anchor, born: anchor.Add(-900 * day), newest: anchor.Add(-3 * day), rate: 0.1, newRate: 0.5, odd: 0.5, owner: "o", people: 5}
}

// Once a repository is archived, nothing is pushed to it.
func TestPushesEnd(t *testing.T) {
	h := lively()
	h.ends = h.anchor.Add(30 * day)
	before := 0
	for unixDay := h.anchor.Unix() / 86400; unixDay < h.anchor.Unix()/86400+90; unixDay++ {
		for _, p := range h.pushes(unixDay) {
			if p.at > h.ends.Unix() {
				t.Errorf("a push at %v, after the end", time.Unix(p.at, 0).UTC())
			}
			before++
		}
	}
	if before == 0 {
		t.Error("no push before it either")
	}
}

// A head that is known does not move while the head may not change.
func TestUntil(t *testing.T) {
	h := lively()
	for now := h.anchor; now.Before(h.anchor.Add(60 * day)); {
		until := h.nextPush(now)
		if !until.After(now) {
			t.Fatalf("%v, until %v", now, until)
		}
		before, _ := h.tip(now)
		if o, _ := h.tip(until.Add(-time.Second)); o != before {
			t.Errorf("it moved between %v and %v", now, until)
		}
		now = until
	}
}

// The order is that of git itself.
func TestOrderIsGits(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git here to compare with")
	}
	folder := t.TempDir()
	git := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", folder}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("", "init", "--quiet", "--bare")
	const open = 0 // no date to begin from
	b := newBuilder(lively())
	b.advance(noon().Add(70 * day))
	var in strings.Builder
	dates := []int64{open}
	for i := range b.nodes {
		n := &b.nodes[i]
		n.committed -= n.committed % 7200 // so that some are the same
		if i%29 == 0 {
			n.committed -= 86400 // and some are before their parents
		}
		if i%(len(b.nodes)/30) == 0 {
			dates = append(dates, n.committed+1)
		}
	}
	for i, n := range b.nodes {
		fmt.Fprintf(&in, "commit refs/heads/n%d\nmark :%d\nauthor A <a@b> %d +0000\ncommitter A <a@b> %d +0000\ndata %d\n%d\n", i, i+1, n.authored, n.committed, len(fmt.Sprint(i)), i)
		for k, p := range n.parents {
			if p != none {
				fmt.Fprintf(&in, "%s :%d\n", []string{"from", "merge"}[k], p+1)
			}
		}
	}
	git(in.String(), "fast-import", "--quiet")
	for _, since := range dates {
		args := []string{"log", "--format=%B"}
		listed := func(int32) bool { return true }
		if since != open {
			args = append(args, fmt.Sprintf("--since=@%d", since))
			listed = b.between(b.head, time.Unix(since, 0), time.Time{})
		}
		var want []string
		w := b.walk(b.head)
		for i := w.next(); i != none; i = w.next() {
			if listed(i) {
				want = append(want, fmt.Sprint(i))
			}
		}
		got := strings.Fields(git("", append(args, fmt.Sprintf("n%d", b.head))...))
		if since == open && len(want) < 100 || !slices.Equal(got, want) {
			t.Errorf("since %d git lists %d commits, the simulator %d: %s", since, len(got), len(want), cmp.Diff(got, want))
		}
	}
}

// Author dates decide the bucket, in UTC; a switch has committer dates decide, and another
// leaves merges out.
func TestCounting(t *testing.T) {
	end := midnight(noon())
	commits := []Commit{
		{At: end.Add(-3 * day), Authored: end.Add(-9 * day)},
		{At: end.Add(-2 * day), Merge: true},
		{At: end.Add(-1 * day), Authored: end.Add(2 * time.Hour)}, // today, when it was written
		{At: end.Add(-10 * day), Authored: end.Add(-400 * day)},   // too old
	}
	switched := New(Options{Now: noon, NoPending: true})
	switched.AddRepo(&Repo{FullName: "o/n", Commits: commits})
	for _, tt := range []struct {
		how  Counting
		want [2]int // of the last two weeks
	}{
		{Counting{}, [2]int{1, 1}},
		{Counting{WithoutMerges: true}, [2]int{1, 0}},
		{Counting{ByCommitDate: true}, [2]int{1, 3}},
		{Counting{WithoutMerges: true, ByCommitDate: true}, [2]int{1, 2}},
	} {
		w := New(Options{Now: noon, NoPending: true, Counting: tt.how})
		r := w.AddRepo(&Repo{FullName: "o/n", Commits: commits})
		got := decode[weeks](t, asGitHub(t, w, "/repos/o/n/stats/participation")).All
		if got[50] != tt.want[0] || got[51] != tt.want[1] {
			t.Errorf("%+v: %v, want %v", tt.how, got[50:], tt.want)
		}
		if truth, _ := w.RepoTruth(r.ID, w.Now()); !slices.Equal(truth.Weeks[:], got) {
			t.Errorf("%+v: the truth says %v", tt.how, truth.Weeks)
		}
		switched.SetCounting(tt.how)
		if again := decode[weeks](t, asGitHub(t, switched, "/repos/o/n/stats/participation")).All; !slices.Equal(again, got) {
			t.Errorf("%+v: switched to, it is %v", tt.how, again[50:])
		}
	}
}
