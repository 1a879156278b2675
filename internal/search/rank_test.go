package search

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pkgmetad/internal/record"
)

// Each package matches "forms" in one way in one field; the worse the way, the
// more stars, the longer the other texts and the rarer the word in its field.
func TestRank(t *testing.T) {
	named := func(title, slug, description string, category int, participants ...string) record.Package {
		rec := pkg(0, title, description, 0, participants...)
		rec.Slug, rec.Category = slug, category
		return rec
	}
	ranked := []record.Package{
		named("Forms", "x-a", "", 0), // the whole title
		named("x-b", "forms", "", 0), // the whole slug
		named("my forms", "x-c", "", 0),
		named("a form", "x-d", "", 0),
		named("formsets", "x-e", "", 0),
		named("x-f", "my_forms", "", 0),
		named("x-g", "a-form", "", 0),
		named("x-h", "formset2", "", 0),
		named("x-i", "x-i", "some forms", 0),
		named("x-j", "x-j", "forming forming forming form forming", 0),
		named("x-k", "x-k", "formsy", 0),
		named("x-l", "x-l", "", 0, "zoe", "the-forms"),
		named("x-m", "x-m", "", 1), // category Forms
		named("x-n", "x-n", "", 2), // category Form
		named("x-o", "x-o", "", 0, "formsalot"),
		named("frms", "x-p", "", 0),
		named("x-q", "foorms", "", 0),
		named("x-r", "x-r", "some fomrs", 0),
		named("x-s", "x-s", "", 0, "borms"),
	}
	same := map[int]int{1: 0, 12: 11} // by place, a better one of equal rank: those come by stars
	for i := range ranked {
		ranked[i].ID, ranked[i].Repo.Stars = i+1, 100*i
	}
	for worse, better := range same {
		ranked[worse].Repo.Stars, ranked[better].Repo.Stars = ranked[better].Repo.Stars, ranked[worse].Repo.Stars
	}
	var want []int
	for _, rec := range ranked {
		want = append(want, rec.ID)
	}
	for _, reversed := range []bool{false, true} { // whatever the order they came in
		t.Run(fmt.Sprint("reversed=", reversed), func(t *testing.T) {
			recs := slices.Clone(ranked)
			if reversed {
				slices.Reverse(recs)
			}
			source := newSource()
			source.putCategory(record.Category{ID: 1, Title: "Forms"})
			source.putCategory(record.Category{ID: 2, Title: "Form"})
			source.put(recs...)
			if got := ids(t, indexed(t, source), "forms"); !slices.Equal(got, want) {
				t.Errorf("found\n%v, want\n%v", got, want)
			}
		})
	}
}

// The rank of a document is that of its worst word.
func TestRankOfSeveralWords(t *testing.T) {
	source := newSource(
		pkg(1, "fast forms", "", 1),
		pkg(2, "fast", "forms", 50),
		pkg(3, "x", "fast forms", 100), // equal to 2: description is the worst of both
		pkg(4, "fast frms", "", 900),
		pkg(5, "fast", "no other word", 9000),
	)
	if got, want := ids(t, indexed(t, source), "fast forms"), []int{1, 3, 2, 4}; !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// Of very many that match alike the 20 most popular come, the lower id first
// where they are equal, though they are not all sorted.
func TestRankOfMany(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name  string
		stars func(i int) int
	}{
		{"all alike", func(int) int { return 7 }},
		{"none", func(int) int { return 0 }},
		{"few popular", func(i int) int { return max(0, i-2*many+10) * 1000 }},
		{"ties", func(int) int { return random.IntN(50) }},
		{"wide", func(int) int { return 1 << random.IntN(40) }},
		{"negative", func(i int) int { return -i }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var recs []record.Package
			for i := range 2 * many {
				recs = append(recs, pkg(i+1, fmt.Sprintf("django-n%d", i), "", c.stars(i)))
			}
			random.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
			x := indexed(t, newSource(recs...))
			slices.SortFunc(recs, func(a, b record.Package) int {
				clamp := func(p record.Package) int { return min(max(0, p.Repo.Stars), 1<<32-1) }
				return cmp.Or(cmp.Compare(clamp(b), clamp(a)), cmp.Compare(a.ID, b.ID))
			})
			var want []int
			for _, rec := range recs[:20] {
				want = append(want, rec.ID)
			}
			for _, q := range []string{"django", "d", "djan", "dajngo"} {
				if got := ids(t, x, q); !slices.Equal(got, want) {
					t.Errorf("Search(%q) =\n%v, want\n%v", q, got, want)
				}
			}
		})
	}
}

func TestLimit(t *testing.T) {
	var recs []record.Package
	for i := range 30 {
		recs = append(recs, pkg(i+1, fmt.Sprint("forms-", i), "forms", i))
	}
	x := indexed(t, newSource(recs...))
	for _, limit := range []int{-1, 0, 1, 7, 30, 1000} {
		hits, err := x.Search(t.Context(), "forms", limit)
		if want := min(max(0, limit), 30); err != nil || len(hits) != want {
			t.Errorf("limit %d: %d hits, %v; want %d", limit, len(hits), err, want)
		}
	}
}
