package web

import (
	"bytes"
	"errors"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	tag       = regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z][a-zA-Z0-9:-]*(?:="[^"<>]*")?)*)\s*(/?)>`)
	attribute = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9:-]*)(?:="([^"]*)")?`)
	void      = []string{"meta", "link", "input", "br", "hr", "img", "wbr"}
)

// element is a start tag of a page.
type element struct {
	name string
	attr map[string]string
}

// parse reads a page by stricter rules than HTML's: each element that is not
// void is closed, in order, attributes are quoted and stand once, and no angle
// bracket stands anywhere but in a tag.
func parse(t *testing.T, page string) (elements []element) {
	t.Helper()
	rest, ok := strings.CutPrefix(page, "<!doctype html>")
	if !ok {
		t.Error("no doctype")
	}
	if stray := tag.ReplaceAllString(rest, ""); strings.ContainsAny(stray, "<>") {
		i := strings.IndexAny(stray, "<>")
		t.Errorf("an angle bracket outside of tags: %q", stray[max(0, i-60):min(len(stray), i+60)])
	}
	var open []string
	for _, m := range tag.FindAllStringSubmatch(rest, -1) {
		closing, name, attributes, selfClosed := m[1] != "", m[2], m[3], m[4] != ""
		if closing {
			if len(open) == 0 || open[len(open)-1] != name {
				t.Fatalf("</%s> closes %q", name, open)
			}
			open = open[:len(open)-1]
			continue
		}
		e := element{name, map[string]string{}}
		for _, a := range attribute.FindAllStringSubmatch(attributes, -1) {
			if _, twice := e.attr[a[1]]; twice {
				t.Errorf("<%s> has %s twice", name, a[1])
			}
			e.attr[a[1]] = html.UnescapeString(a[2])
		}
		elements = append(elements, e)
		if !selfClosed && !slices.Contains(void, name) {
			open = append(open, name)
		}
	}
	if len(open) != 0 {
		t.Errorf("never closed: %q", open)
	}
	return elements
}

func TestPages(t *testing.T) {
	for name, page := range samples(t) {
		t.Run(name, func(t *testing.T) {
			elements := parse(t, page)
			count, ids := map[string]int{}, map[string]bool{}
			for _, e := range elements {
				count[e.name]++
				if id, ok := e.attr["id"]; ok {
					if ids[id] {
						t.Errorf("the id %q stands twice", id)
					}
					ids[id] = true
				}
			}
			for _, once := range []string{"h1", "main", "head", "body", "title"} {
				if n := count[once]; n != 1 && !(once == "title" && n > 1) { // pictures have titles too
					t.Errorf("%d elements %s", n, once)
				}
			}
			for _, e := range elements {
				checkElement(t, e, ids)
			}
			for _, never := range []string{"script", "style", "iframe", "object", "embed", "base", "img"} {
				if count[never] != 0 {
					t.Errorf("there is an element %s", never)
				}
			}
			if strings.Contains(page, "ZgotmplZ") {
				t.Error("html/template has refused a value")
			}
		})
	}
}

func checkElement(t *testing.T, e element, ids map[string]bool) {
	t.Helper()
	for name, value := range e.attr {
		switch {
		case name == "style" || strings.HasPrefix(name, "on"):
			t.Errorf("<%s> has an attribute %s", e.name, name)
		case name == "aria-labelledby" || name == "for":
			if !ids[value] {
				t.Errorf("%s refers to %q, which is not there", name, value)
			}
		case name == "href" || name == "src" || name == "action":
			switch {
			case strings.HasPrefix(value, "#"):
				if !ids[value[1:]] {
					t.Errorf("a link leads to %q, which is not there", value)
				}
			case strings.HasPrefix(value, prefix+"/"):
			case e.name == "a" && (strings.HasPrefix(value, "https://") || strings.HasPrefix(value, "http://")):
				if e.attr["rel"] != "nofollow noopener" {
					t.Errorf("the link to %s has rel=%q", value, e.attr["rel"])
				}
			default:
				t.Errorf("<%s %s=%q> leads off this host or out of the prefix", e.name, name, value)
			}
		}
	}
	switch e.name {
	case "th":
		if e.attr["scope"] == "" {
			t.Error("a th has no scope")
		}
	case "input":
		if e.attr["type"] != "hidden" && e.attr["id"] == "" {
			t.Error("an input has no label")
		}
	}
	if _, scrolls := e.attr["tabindex"]; scrolls && e.name == "div" && e.attr["aria-label"] == "" && e.attr["aria-labelledby"] == "" {
		t.Error("a focusable box has no accessible name")
	}
}

func TestHostileTextStaysText(t *testing.T) {
	all := samples(t)
	for _, name := range []string{"package hostile", "packages", "grids", "grid", "readiness", "categories", "category", "search", "status", "package status", "plain"} {
		if page := all[name]; !strings.Contains(html.UnescapeString(tag.ReplaceAllString(page, "")), attack) {
			t.Errorf("%s does not show the text that it was given", name)
		}
	}
	page := all["package hostile"]
	if !strings.Contains(page, scriptURL) {
		t.Error("an address that may not be a link is not shown as text")
	}
	if strings.Contains(page, "https://github.com/..") || strings.Contains(page, "https://github.com/dependabot") {
		t.Error("a participant whose name is not a login has a link")
	}
}

func TestPackagePage(t *testing.T) {
	page := samples(t)["package"]
	for _, want := range []string{
		"5,104", ">729<", ">2.5<", ">MIT<", "&gt;=3.10", "Production/stable",
		`<a href="https://github.com/django-crispy-forms/django-crispy-forms" rel="nofollow noopener">github<wbr>.com/<wbr>django-crispy-forms/<wbr>django-crispy-forms</a>`,
		`<a href="https://github.com/maraujop" rel="nofollow noopener">maraujop</a>`,
		`<time datetime="2026-02-16T11:45:10&#43;01:00" title="2026-02-16 11:45:10 CET">3 hours ago</time>`,
		"503 Service Unavailable", "48 older versions", "46 more", "no files",
		`<tr class="yanked"><th scope="row"><bdi>2.1.3</bdi>`,
		`<a href="/facts/status/packages/django-crispy-forms/">`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if n := strings.Count(page, `"tag warn">yanked<`); n != 4 {
		t.Errorf("%d versions are marked as yanked, not 4", n)
	}
}

// TestComparison: the row of a package has all columns, in words.
func TestComparison(t *testing.T) {
	page := samples(t)["packages"]
	_, row, _ := strings.Cut(page, `<tbody>`)
	row, _, _ = strings.Cut(row, "</tr>")
	var got []string
	for _, cell := range regexp.MustCompile(`(?s)data-label="([^"]*)">(.*?)</td>`).FindAllStringSubmatch(row, -1) {
		got = append(got, cell[1]+": "+strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(cell[2], "")))
	}
	want := []string{
		"Stars: 5,104", "Forks: 729", "Participants: 86", "52 weeks: 198 commits in 52 weeks", "Last commit: yesterday", "Version: 2.5", "Released: 20 days ago",
		"Python: 3.10–3.13", "Django: 5.1–5.2", "Maturity: Production/stable", "Licence: MIT",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestListsMarkPackages that one should think twice about, in both tables.
func TestListsMarkPackages(t *testing.T) {
	all := samples(t)
	const want = `</bdi></a> <span class="tag warn">archived</span> <span class="tag warn">no commit for a year</span>`
	for _, name := range []string{"packages", "grid", "readiness", "category"} {
		if !strings.Contains(all[name], "djorm-ext-pgfulltext"+want) {
			t.Errorf("%s: no marks of a package that is archived", name)
		}
	}
}

// TestSearchPage: a package that was found is told with its version, its last commit and
// its weeks, a grid with how much it compares.
func TestSearchPage(t *testing.T) {
	page := samples(t)["search"]
	for _, want := range []string{
		`<h2><a href="/facts/api/v4/packages/django-crispy-forms/"><bdi>django-crispy-forms</bdi></a></h2>`, "5,104 stars", `version <bdi class="text">2.5</bdi>`,
		`last commit <time datetime="2026-02-15T09:45:10&#43;01:00" title="2026-02-15 09:45:10 CET">yesterday</time>`, `<svg class="spark"`, "<bdi>Apps</bdi>",
		`<h2><a href="/facts/api/v4/grids/58/"><bdi>Forms</bdi></a></h2>`, "7 packages compared",
		`<span class="tag">package</span> <span class="tag warn">archived</span> <bdi>Apps</bdi>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestEmptyPages: what is not known is said, not left out.
func TestEmptyPages(t *testing.T) {
	all := samples(t)
	for name, want := range map[string]string{
		"package zero":      "The number of commits is unknown: GitHub has not provided it yet",
		"package empty":     "The number of commits is unknown: there is no repository",
		"packages empty":    "There is no package here: the list ends at number 3.",
		"packages filtered": "No package passes the filters (3 packages without them).",
		"grids empty":       "There is no grid here.",
		"grid empty":        "compares no package yet",
		"categories empty":  "There is no category here.",
		"search empty":      "Type a part of a name",
		"search none":       "Nothing was found for",
		"status empty":      "Nothing is failing.",
	} {
		if !strings.Contains(all[name], want) {
			t.Errorf("%s does not say %q", name, want)
		}
	}
}

func TestPagerLinks(t *testing.T) {
	page := samples(t)["packages"]
	for _, want := range []string{
		`<a rel="prev" href="/facts/api/v4/packages/?limit=20">`,
		`<a rel="next" href="/facts/api/v4/packages/?limit=20&amp;offset=40">`,
		"21–25 of 5,500",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteError(t *testing.T) {
	if err := Plain(fullDisk{}, Frame{}, PlainPage{}); err == nil {
		t.Error("an error of the writer is lost")
	}
}

func BenchmarkPackage(b *testing.B) {
	f, p := Frame{Prefix: prefix, Title: "x", Answer: answer()}, packagePage(crispy())
	for b.Loop() {
		if err := Package(&bytes.Buffer{}, f, p); err != nil {
			b.Fatal(err)
		}
	}
}
