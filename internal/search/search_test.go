package search

import (
	"strings"
	"testing"

	"pkgmetad/internal/record"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// bleve analyses in goroutines that it starts once and for all.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"))
}

func TestFinds(t *testing.T) {
	source := newSource(
		pkg(1, "django-crispy-forms", "The best way to have DRY Django forms.", 4000, "smithdc1", "carltongibson"),
		pkg(2, "django-debug-toolbar", "A configurable set of panels that display various debug information.", 7900, "jazzband"),
		pkg(3, "django-rest-framework-social-oauth2", "python-social-auth support", 1000),
		pkg(4, "the", "Not much.", 1),
		pkg(5, "not", "", 0),
		pkg(6, "DjangoCMS", "An easy content management system with pages & plugins", 9000),
		pkg(7, "Café", "Résumés pour Zoë", 3),
		pkg(8, "++", "", 1),
		pkg(9, "数据库工具", "", 1),
		pkg(10, "python3-saml", "Authentication", 5),
		pkg(11, "celery", "Distributed task queue, user's choice of brokers for the impatient", 20000, "ask"),
	)
	source.putCategory(record.Category{ID: 3, Title: "Frameworks"})
	nine := pkg(12, "wagtail", "", 15000)
	nine.Category = 3
	source.put(nine)
	source.putGrid(record.Grid{ID: 58, Title: "Full text search", Slug: "search", Description: "Haystacks and needles"})
	x := indexed(t, source)

	for _, c := range []struct {
		name, query string
		want        []int
	}{
		{"nothing", "", nil},
		{"blank", " \t\n", nil},
		{"no hit", "xylophone", nil},
		{"title", "django-crispy-forms", []int{1}},
		{"word", "crispy", []int{1}},
		{"words", "crispy forms", []int{1}},
		{"words in another order", "forms crispy", []int{1}},
		{"first words", "django crispy", []int{1}},
		{"joined", "crispyforms", []int{1}},
		{"joined otherwise", "django cms", []int{6}},
		{"parted otherwise", "crispy_FORMS", []int{1}},
		{"capitals within", "cms", []int{6}},
		{"letters of letters and digits", "oauth", []int{3}},
		{"digits apart", "oauth 2", []int{3}},
		{"digits apart, python", "python 3 saml", []int{10}},
		{"stem of a title", "form", []int{1, 11}}, // "for" is a typo away
		{"stem of a description", "panel", []int{2}},
		{"stem of the query", "configuring", []int{2}},
		{"possessive", "users", []int{11}},
		{"beginning of 1 letter", "w", []int{12, 6, 1}}, // title, then "with" and "way"
		{"beginning of 3 letters", "cri", []int{1}},
		{"beginning of 5 letters", "toolb", []int{2}},
		{"beginning in a description", "authent", []int{10}},
		{"another letter", "crizpy", []int{1}},
		{"a letter too few", "celry", []int{11}},
		{"a letter too many", "ceelery", []int{11}},
		{"two letters swapped", "cleery", []int{11}},
		{"two typos", "clerry", nil},
		{"a typo in 3 letters", "cmz", nil},
		{"typo in one of two words", "debgu toolbar", []int{2}},
		{"a word that is nowhere", "crispy xylophone", nil},
		{"words in several fields", "celery brokers ask", []int{11}},
		{"participant", "carltongibson", []int{1}},
		{"category", "framework wagtail", []int{12}},
		{"stop words beside others", "the best of forms", []int{1}},
		{"a stop word alone", "the", []int{4, 11, 1}},
		{"another", "NOT", []int{5, 4}},
		{"accents", "cafe resumes", []int{7}},
		{"accents in the query", "CAFÉ", []int{7}},
		{"no letters", "++", []int{8}},
		{"no letters, other", "+++", nil},
		{"chinese", "数据", []int{9}},
		{"grid", "haystack", []int{-58}},
		{"grid by title", "full text search", []int{-58}},
		{"query syntax", `+title:"crispy"^5 -forms~2 (django)*`, nil},
		{"200 letters are read", strings.Repeat(" ", maxRunes-6) + "crispy xylophone", []int{1}},
		{"10 words are read", "crispy crispy crispy crispy crispy crispy crispy crispy crispy crispy xylophone", []int{1}},
		{"quotes", `"crispy" 'forms'`, []int{1}},
		{"punctuation", "crispy?! & forms; \x00\xff", []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantIDs(t, x, c.query, c.want...)
		})
	}
}
