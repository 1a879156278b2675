package store_test

import (
	"testing"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// TestModifiedOfImport: what is new here has the site's time. From then on modified
// moves forward, and only with what is served.
func TestModifiedOfImport(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	importIt := func(stars int, modified, fetched, now time.Time) time.Time {
		t.Helper()
		recs := []record.Package{imported(withID(7, "a"), stars, modified, fetched)}
		_, err := s.Import(catalogueOf(recs...), recs, now)
		must(t, err)
		return get(t, s, "a").Modified
	}
	for _, test := range []struct {
		name                    string
		stars                   int
		modified, fetched, want time.Time
	}{
		{"new", 1, day(-9), day(-8), day(-9)},
		{"changed at the site since", 2, day(-7), day(-6), day(-7)},
		{"changed, by an older time of the site", 3, day(-20), day(-5), day(20)},
		{"the same again", 3, day(-20), day(-5), day(20)},
		{"the same, fetched later", 3, day(30), day(-4), day(20)},
		{"older, so not taken", 9, day(31), day(-9), day(20)},
		{"changed, by a clock that was ahead", 4, time.Now().AddDate(9, 0, 0), day(-3), day(20).Add(time.Hour)},
	} {
		now := day(20)
		if test.stars == 4 {
			now = now.Add(time.Hour)
		}
		if got := importIt(test.stars, test.modified, test.fetched, now); !got.Equal(test.want) {
			t.Errorf("%s: modified is %v, want %v", test.name, got, test.want)
		}
	}
	checkFile(t, s)
}

// TestModifiedMovesWithWhatIsServed: an answer that changes nothing at its source may
// still change a package, which was rendered from older data; and one that was asked
// before the catalogue changed is stored after it.
func TestModifiedMovesWithWhatIsServed(t *testing.T) {
	path, _ := schema2(t)
	s := open(t, path, schema2Options(true))
	before := get(t, s, "shared-one")
	old := served(t, s)[before.ID]
	source, err := s.Sources("shared-one")
	must(t, err)
	unchanged := source[0]
	unchanged.LastAttempt = unchanged.LastAttempt.AddDate(0, 0, 1)
	unchanged.LastSuccess = unchanged.LastAttempt
	must(t, s.Put([]record.Source{unchanged}))
	if served(t, s)[before.ID] == old {
		t.Fatal("the test is about a package that comes to be served otherwise")
	}
	if got := get(t, s, "shared-one"); !got.Modified.Equal(unchanged.LastAttempt) {
		t.Errorf("modified is %v, want %v", got.Modified, unchanged.LastAttempt)
	}
	other := get(t, s, "shared-two")
	unchanged.LastAttempt = unchanged.LastAttempt.AddDate(0, 0, 1)
	unchanged.LastSuccess = unchanged.LastAttempt
	must(t, s.Put([]record.Source{unchanged}))
	if got := get(t, s, "shared-two"); !got.Modified.Equal(other.Modified) {
		t.Errorf("nothing changed, and modified went from %v to %v", other.Modified, got.Modified)
	}
	checkFile(t, s)
}

func TestModifiedOfAnAnswerFromBefore(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	sync(t, s, entries("a"), day(3))
	put(t, s, fetched(get(t, s, "a"), 5, day(2), day(4)))
	if got := get(t, s, "a"); !got.Modified.After(day(3)) {
		t.Errorf("the stars changed, and modified is still %v", got.Modified)
	}
}
