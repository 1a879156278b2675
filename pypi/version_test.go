package pypi

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inOrder is newest first, by PEP 440.
var inOrder = []string{
	"1!0.1",
	"184467440737095516160.0",
	"20240101.1",
	"3.10",
	"v3.9.1",
	"3.9",
	"2.0.post2",
	"2.0.post1",
	"2.0.post1.dev3",
	"2.0+ubuntu-10",
	"2.0+ubuntu_9",
	"2.0+ubuntu.1",
	"2.0+abc",
	"2.0",
	"2.0rc2",
	"2.0c1",
	"2.0b10",
	"2.0b2",
	"2.0-beta.1",
	"2.0a1.post1",
	"2.0a1",
	"2.0a1.dev1",
	"2.0.dev456",
	"2.0.dev2",
	"1.0.1",
	"1.0-1",
	"1.0",
	"1.0.dev1",
	"0.10",
	"0.9",
	"0.9a",
	"0.0.0.1",
	"0",
}

func TestOrder(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2010, 1, d, 0, 0, 0, 0, time.UTC) }
	var want []Version
	for _, v := range inOrder {
		want = append(want, Version{Version: v})
	}
	// No order but that of their uploads, then of their text.
	want = append(want,
		Version{Version: "1.0-final-really", Uploaded: day(2)},
		Version{Version: "2004d", Uploaded: day(1)},
		Version{Version: "beta three"}, Version{Version: "latest"}, Version{Version: "x.y"},
	)
	for range 20 {
		got := append([]Version(nil), want...)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		if latest := order(got); latest != inOrder[0] {
			t.Errorf("latest = %q; want %q", latest, inOrder[0])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("order (-want +got):\n%s", diff)
		}
	}
}

func TestOrderOfEqualVersions(t *testing.T) {
	for _, in := range [][]Version{
		{{Version: "1.0"}, {Version: "1.0.0"}, {Version: "1"}},
		{{Version: "1.0.0"}, {Version: "1"}, {Version: "1.0"}},
	} {
		order(in)
		if diff := cmp.Diff([]Version{{Version: "1"}, {Version: "1.0"}, {Version: "1.0.0"}}, in); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestLatest(t *testing.T) {
	y := func(v string) Version { return Version{Version: v, Yanked: true} }
	n := func(v string) Version { return Version{Version: v} }
	for _, tt := range []struct {
		want string
		in   []Version
	}{
		{"", nil},
		{"1.10", []Version{n("1.9"), n("1.10"), n("1.2")}},
		{"1.0", []Version{n("1.0"), n("2.0.dev1"), n("2.0b1")}},
		{"2.0b1", []Version{n("1.0a1"), n("2.0b1")}},
		{"1.0", []Version{n("1.0"), y("2.0")}},
		{"2.0b1", []Version{y("1.0"), n("2.0b1")}},
		{"1.0", []Version{y("1.0"), y("2.0b1")}},
		{"0.1", []Version{n("0.1"), n("not a version")}},
		{"0.1a1", []Version{n("0.1a1"), n("not a version")}},
		{"not a version", []Version{n("not a version")}},
		{"not a version", []Version{n("not a version"), y("1.0")}},
	} {
		if got := order(tt.in); got != tt.want {
			t.Errorf("latest of %v = %q; want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzPlainVersions: what is ordered by its numbers is ordered as PEP 440 says.
func FuzzPlainVersions(f *testing.F) {
	for _, pair := range [][2]string{{"1.0", "1"}, {"1.10", "1.9"}, {"0", "0.0"}, {"007", "7.0.0"}, {"20240101.1", "3"}, {"1.0.1", "1"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := &ordered{numbers: plainNumbers(a)}, &ordered{numbers: plainNumbers(b)}
		if x.numbers == nil || y.numbers == nil {
			return
		}
		va, okA := parseVersion(a)
		vb, okB := parseVersion(b)
		if !okA || !okB || va.IsPreRelease() || vb.IsPreRelease() {
			t.Fatalf("%q and %q are not plain", a, b)
		}
		if got, want := x.compare(y), va.Compare(vb); got != want {
			t.Errorf("%q against %q: %d; PEP 440 says %d", a, b, got, want)
		}
	})
}
