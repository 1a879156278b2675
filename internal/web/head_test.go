package web

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestSummary: a description is one line of text that search engines show whole.
func TestSummary(t *testing.T) {
	site := Site{Name: "S", Description: "Of the site."}
	for description, want := range map[string]string{
		"":                                   "Of the site.",
		" \n\t ":                             "Of the site.",
		"one\r\n  two\t3 ":                   "one two 3",
		strings.Repeat("a", summaryLength):   strings.Repeat("a", summaryLength),
		strings.Repeat("é", summaryLength+1): strings.Repeat("é", summaryLength-1) + "…",
		strings.Repeat("word, ", 60):         strings.TrimSuffix(strings.Repeat("word, ", 33), ", ") + "…",
		strings.Repeat("\u4e2d\u6587 ", 100) + "": strings.TrimSuffix(strings.Repeat("\u4e2d\u6587 ", 66), " ") + "…",
	} {
		got := Frame{Site: site, Description: description}.Summary()
		if got != want || utf8.RuneCountInString(got) > summaryLength {
			t.Errorf("%.40q: %q, want %q", description, got, want)
		}
	}
}

// TestHostileHead: what anybody wrote stays in the attributes of the head.
func TestHostileHead(t *testing.T) {
	var b bytes.Buffer
	f := Frame{
		Site: Site{attack, attack}, Prefix: prefix, Base: "https://facts.example" + prefix, Title: attack, Description: attack,
		Path: "/api/v4/packages/1/", JSON: "/api/v4/packages/" + attack + "/?format=json",
	}
	if err := Root(&b, f, RootPage{}); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range parse(t, b.String()) {
		count[e.name]++
		if e.name == "meta" && e.attr["property"] == "og:title" && e.attr["content"] != attack {
			t.Errorf("the title is %q", e.attr["content"])
		}
	}
	if count["script"]+count["img"] != 0 {
		t.Errorf("the page has elements of somebody else: %v", count)
	}
}
