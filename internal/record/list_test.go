package record

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestOrderedVersion(t *testing.T) {
	ascending := []string{
		"", "0", "0.0.1", "0.1.dev3", "0.1a1", "0.1", "0.1.post1", "0.2", "0.10", "1.0rc1", "v1.0", "1.0.0.1", "1.0.1", "1.2.3b2", "1.2.3",
		"2.0-beta", "2.0", "2024.1", "20240101", "99999999999999999999999", "1!0.5",
	}
	last := uint64(0)
	for i, version := range ascending {
		order := orderedVersion(version)
		if i > 0 && order <= last {
			t.Errorf("%q comes as %x, which is not after %q", version, order, ascending[i-1])
		}
		last = order
	}
	for _, none := range []string{"", "latest", ".", "!", "-1"} {
		if order := orderedVersion(none); order != 0 {
			t.Errorf("%q comes as %x", none, order)
		}
	}
	if orderedVersion("1.0") != orderedVersion("1.0.0") {
		t.Error("1.0 and 1.0.0 differ")
	}
}

func TestSpan(t *testing.T) {
	for _, test := range []struct {
		versions []string
		want     string
	}{
		{nil, ""}, {[]string{"3"}, "3"}, {[]string{"2", "3"}, "2–3"}, {[]string{"3", "3.12"}, "3.12"},
		{[]string{"3", "3.9", "3.10", "3.13"}, "3.9–3.13"}, {[]string{"4", "4.2", "5", "5.2"}, "4.2–5.2"},
	} {
		if got := Span(test.versions); got != test.want {
			t.Errorf("%q: %q, want %q", test.versions, got, test.want)
		}
	}
	ascending := [][]string{nil, {"2"}, {"2.7"}, {"2.7", "3.9"}, {"3", "3.9"}, {"3.9", "3.10"}, {"3.10"}, {"9999.9999"}}
	for i, versions := range ascending[1:] {
		if orderedSpan(versions) <= orderedSpan(ascending[i]) {
			t.Errorf("%q does not come after %q", versions, ascending[i])
		}
	}
}

func TestDjangoBits(t *testing.T) {
	for bit := range 64 {
		if got, ok := djangoBit(djangoVersion(bit)); !ok || got != bit {
			t.Errorf("%s is bit %d, %v, not %d", djangoVersion(bit), got, ok, bit)
		}
	}
	for _, none := range []string{"", "5", "0.9", "1.16", "2.4", "14.0", "9999.9999", "-2.1", "2.-1"} {
		if bit, ok := djangoBit(none); ok {
			t.Errorf("%q is bit %d", none, bit)
		}
	}
}

// TestWindow compares every kind of part with that of a list that was sorted in whole.
func TestWindow(t *testing.T) {
	for round := range 300 {
		dice := rand.New(rand.NewPCG(uint64(round), 1))
		places := make([]place, dice.IntN(2000))
		for i := range places {
			places[i] = place{order: dice.Uint64N(uint64(1 + round*round)), slug: uint32(i), at: uint32(i)}
		}
		switch round % 4 {
		case 1:
			slices.SortFunc(places, place.compare)
		case 2:
			slices.SortFunc(places, func(a, b place) int { return b.compare(a) })
		case 3:
			dice.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
		}
		sorted := slices.SortedFunc(slices.Values(places), place.compare)
		from := dice.IntN(len(places) + 1)
		to := from + dice.IntN(len(places)-from+1)
		if !slices.Equal(window(places, from, to), sorted[from:to]) {
			t.Fatalf("round %d: wrong from %d to %d of %d", round, from, to, len(places))
		}
	}
}

// BenchmarkSelect takes a page from the beginning, and one from the midst, of a million
// packages.
func BenchmarkSelect(b *testing.B) {
	dice := rand.New(rand.NewPCG(1, 1))
	all := make([]Listed, 1_000_000)
	for i := range all {
		all[i] = Listed{ID: i + 1, Category: i % 4, Stars: uint32(dice.ExpFloat64() * 300), Slug: uint32(i), Flags: uint8(dice.IntN(4)), Maturity: uint8(dice.IntN(8)), Djangos: dice.Uint64() & 0xfff000}
	}
	for name, q := range map[string]ListQuery{
		"first":    {Sort: ByStars, Descending: true, Limit: 20},
		"midst":    {Sort: ByStars, Offset: 500_000, Limit: 20},
		"filtered": {Sort: ByStars, Alive: true, Python3: true, Stable: true, Now: noon, Limit: 20},
		"category": {Category: 1, Limit: 100, Django: true},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if found := Select(all, q); len(found.IDs) != q.Limit {
					b.Fatal(found.Count)
				}
			}
		})
	}
}
