package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/web"
)

// drawn is the chart as the browser has laid it out, in px from its top left.
type drawn struct {
	Width float64
	Bars  []struct {
		Title                    string
		Left, Right, Top, Bottom float64
	}
	Ticks []struct { // numbers at the side
		Text string
		Line float64 // where their line is
	}
	Marks []struct{ Left, Right, Bottom float64 } // of releases
	Rows  [][]string                              // of the table with the same numbers
}

const readChart = `(() => {
	const place = document.querySelector('svg.weeks').getBoundingClientRect();
	const lines = [...document.querySelectorAll('svg.weeks > line')];
	return {
		Width: place.width,
		Bars: [...document.querySelectorAll('svg.weeks .week')].map(g => {
			const r = g.querySelector('.stem').getBoundingClientRect();
			return {Title: g.querySelector('title').textContent, Left: r.left - place.left, Right: r.right - place.left, Top: r.top - place.top, Bottom: r.bottom - place.top};
		}),
		Marks: [...document.querySelectorAll('svg.weeks .release')].map(e => {
			const r = e.getBoundingClientRect();
			return {Left: r.left - place.left, Right: r.right - place.left, Bottom: r.bottom - place.top};
		}),
		Ticks: [...document.querySelectorAll('svg.scale text')].map((t, i) => ({Text: t.textContent, Line: lines[i].getBoundingClientRect().top - place.top})),
		Rows: [...document.querySelectorAll('.numbers tbody tr')].map(r => [...r.cells].map(c => c.textContent)),
	};
})()`

// testChart reads the bars as they are drawn, and what is written on them.
func testChart(b *tab) {
	var record struct {
		Weeks []int `json:"commits_over_52"`
	}
	b.site.json(b.T, "/api/v4/packages/lively/", &record)
	if diff := cmp.Diff(livelyWeeks(), record.Weeks); diff != "" {
		b.Fatalf("the record's weeks (-world +record):\n%s", diff)
	}
	var status struct {
		GitHub struct {
			LastSuccess time.Time `json:"last_success"`
		} `json:"github"`
	}
	b.site.json(b.T, "/status/packages/lively/", &status)
	b.visit("/api/v4/packages/lively/")
	for _, width := range []int64{1280, phoneWidth} {
		b.resize(width, 800)
		chart := eval[drawn](b, readChart)
		if len(chart.Bars) != 52 || len(chart.Rows) != 52 || len(chart.Ticks) < 2 {
			b.Fatalf("%d bars, %d rows, %d numbers at the side", len(chart.Bars), len(chart.Rows), len(chart.Ticks))
		}
		floor, top := chart.Ticks[0], chart.Ticks[len(chart.Ticks)-1]
		highest, err := strconv.Atoi(top.Text)
		if err != nil || floor.Text != "0" || highest < slices.Max(record.Weeks) {
			b.Fatalf("the numbers at the side are %v; the most commits are %d", chart.Ticks, slices.Max(record.Weeks))
		}
		commit := (floor.Line - top.Line) / float64(highest) // px
		end := status.GitHub.LastSuccess.UTC().Truncate(24 * time.Hour)
		left := 0.0
		for i, bar := range chart.Bars {
			n := record.Weeks[i]
			day := end.AddDate(0, 0, -7*(52-i)).Format(time.DateOnly)
			title := fmt.Sprintf("week of %s: %d commits", day, n)
			if n == 1 {
				title = strings.TrimSuffix(title, "s")
			}
			row := []string{day, strconv.Itoa(n), ""}
			if i == livelyReleased {
				title, row[2] = title+"; released 4.1", "4.1"
				if m := chart.Marks; len(m) != 1 || math.Abs(m[0].Left+m[0].Right-bar.Left-bar.Right) > 1 || m[0].Bottom > top.Line {
					b.Errorf("the release in bar %d, %+v, below a chart that ends at %.1f px, is marked by %+v", i, bar, top.Line, m)
				}
			}
			if bar.Title != title {
				b.Errorf("bar %d is called %q, want %q", i, bar.Title, title)
			}
			if height := bar.Bottom - bar.Top; n > 0 && math.Abs(height-commit*float64(n)) > 1 {
				b.Errorf("bar %d is %.1f px high, want %.1f for %d commits", i, height, commit*float64(n), n)
			}
			if n > 0 && math.Abs(bar.Bottom-floor.Line) > 1 {
				b.Errorf("bar %d ends at %.1f px, the floor is at %.1f", i, bar.Bottom, floor.Line)
			}
			if bar.Left < left || bar.Right <= bar.Left || bar.Right > chart.Width {
				b.Errorf("bar %d goes from %.1f to %.1f px; the one before ends at %.1f, the chart at %.1f", i, bar.Left, bar.Right, left, chart.Width)
			}
			left = bar.Right
			if diff := cmp.Diff(row, chart.Rows[i]); diff != "" {
				b.Errorf("row %d of the table (-want +got):\n%s", i, diff)
			}
		}
	}
}

// testAnswer compares the raw answer below a page with what programs get, and
// follows one of its links.
func testAnswer(b *tab) {
	for _, path := range []string{"/api/v4/", "/api/v4/packages/", "/api/v4/packages/lively/", "/api/v4/packages/hostile/", "/api/v4/grids/kinds/", "/api/v4/categories/90/", "/status/packages/failing/"} {
		b.visit(path)
		shown := eval[string](b, `document.querySelector('.answer pre:last-child').textContent`)
		head, document, _ := strings.Cut(shown, "\n\n")
		if !strings.HasPrefix(head, "HTTP 200 OK\n") || !strings.Contains(head, "Content-Type: application/json") {
			b.Errorf("%s: the answer begins with\n%s", path, head)
		}
		var want, got any
		b.site.json(b.T, path, &want)
		if err := json.Unmarshal([]byte(document), &got); err != nil {
			b.Errorf("%s: the answer shown is no JSON: %v\n%s", path, err, document)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			b.Errorf("%s: the answer shown is another one than programs get (-want +shown):\n%s", path, diff)
		}
	}
	b.visit("/api/v4/packages/lively/")
	if links := eval[[]string](b, `[...document.querySelectorAll('.answer a')].map(a => a.textContent)`); !slices.Equal(links, []string{
		b.site.url + "/api/v4/categories/90/", b.site.url + "/api/v4/grids/91/", "https://github.com/people/lively", "https://pypi.org/project/lively/",
	}) {
		b.Errorf("the links of the answer are %q", links)
	}
	act(b, chromedp.Click(chromedp.CSS(`.answer summary`)))
	b.follow(chromedp.Click(chromedp.CSS(`.answer a[href$="/grids/91/"]`)))
	if r := b.well("the link to the grid", 1280); r.Headings[0] != "Kinds" {
		b.Errorf("it leads to %s, %q", b.path(), r.Headings)
	}
}

// testHostile looks at what others wrote wherever it is shown: it stays text.
func testHostile(b *tab) {
	for _, p := range []struct{ path, title string }{
		{"/api/v4/packages/hostile/", hostileTitle},
		{"/api/v4/packages/?limit=1000", "Packages"},
		{"/api/v4/search/?q=hostile&format=api", "Search"},
		{"/api/v4/grids/", "Grids"},
		{"/api/v4/grids/kinds/", "Kinds"},
		{"/api/v4/categories/", "Categories"},
		{"/api/v4/categories/90/", "Tool"},
		{"/status/packages/hostile/", "Status of hostile"},
	} {
		b.visit(p.path)
		if title := eval[string](b, `document.title`); title != p.title+" – pkgmetad" {
			b.Errorf("%s: the title is %q, want %q", p.path, title, p.title+" – pkgmetad")
		}
		text := eval[string](b, `document.querySelector('main').textContent`)
		if !strings.Contains(text, hostileText) && !strings.Contains(text, hostileTitle) {
			b.Errorf("%s: the text is not there as it was written", p.path)
		}
		if n := eval[int](b, `document.querySelectorAll('script, img, iframe, object, embed, style, base, [onload], [onerror], [style]').length`); n != 0 {
			b.Errorf("%s: %d elements that no page has", p.path, n)
		}
		if n := eval[int](b, `[...document.querySelectorAll('[href], [src], [action]')].filter(e => !/^https?:$/.test(new URL(e.href?.baseVal ?? e.href ?? e.src ?? e.action, location).protocol)).length`); n != 0 {
			b.Errorf("%s: %d links to what is not on the web", p.path, n)
		}
	}
	b.visit("/api/v4/packages/hostile/")
	if lead := eval[string](b, `document.querySelector('p.lead').textContent`); lead != hostileText {
		b.Errorf("the description reads %q", lead)
	}
	if facts := eval[string](b, `document.querySelector('.facts').textContent`); !strings.Contains(facts, hostileLink) || !strings.Contains(facts, hostileText) {
		b.Errorf("the documentation's address and the licence are not in the facts: %q", facts)
	}
}

// testPolicy brings in what the policy forbids, past all escaping: it is
// refused. Each refusal is told of, so the watch over the other pages would
// have seen one.
func testPolicy(b *tab) {
	resp := b.visit("/api/v4/packages/lively/")
	for name, value := range resp.Headers {
		if strings.EqualFold(name, "Content-Security-Policy") && value != web.Policy {
			b.Errorf("the policy is %q, want %q", value, web.Policy)
		}
	}
	for what, script := range map[string]string{
		"an inline script": `const s = document.createElement('script'); s.textContent = 'document.title = "pwned"'; document.body.append(s)`,
		"a handler":        `const d = document.createElement('details'); d.setAttribute('onclick', 'document.title = "pwned"'); document.body.append(d); d.click()`,
		"a script":         `const s = document.createElement('script'); s.src = '/openapi.json'; document.body.append(s)`,
		"an inline style":  `const s = document.createElement('style'); s.textContent = 'h1 { display: none }'; document.head.append(s)`,
		"a foreign image":  `const i = new Image(); i.src = 'http://evil.invalid/x.png'; document.body.append(i)`,
	} {
		if refused := act(b, chromedp.Evaluate[string](`new Promise(done => {
			document.addEventListener('securitypolicyviolation', e => done(e.effectiveDirective), {once: true});
			setTimeout(() => done(''), 2000);
			`+script+`
		})`, chromedp.EvalAwaitPromise)); refused == "" {
			b.Errorf("%s was not refused", what)
		}
	}
	if title := eval[string](b, `document.title`); title != "Lively – pkgmetad" || !eval[bool](b, `document.querySelector('h1').checkVisibility()`) {
		b.Errorf("the page was changed: %q", title)
	}
	if seen := b.takeAmiss(); len(seen) < 5 || !slices.ContainsFunc(seen, func(s string) bool { return strings.Contains(s, "Content Security Policy") }) {
		b.Errorf("the watch saw %q", seen)
	}
}

// badPage does all that no page may do.
func badPage(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte(`<!doctype html><title>bad</title><h1>one</h1><h1>two</h1>
<img src=/missing.png><img src=http://elsewhere.invalid/x.png>
<script>console.error("an error"); console.warn("a warning"); setTimeout(() => { alert("a dialog"); throw "an exception" })</script>`))
}

// testWatch opens a page that does what no page may do: the watch sees all of it.
func testWatch(b *tab) {
	b.visit("/")
	var all string
	for _, want := range []string{
		"console error", "console warning", "exception: Uncaught \"an exception\"", "dialog: a dialog", "answer 404: " + b.site.url + "/missing.png",
		"request elsewhere: http://elsewhere.invalid/x.png", "request failed: Image",
	} {
		for deadline := time.Now().Add(5 * time.Second); !strings.Contains(all, want) && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			all += strings.Join(b.takeAmiss(), "\n") + "\n"
		}
		if !strings.Contains(all, want) {
			b.Errorf("the watch did not see %q, but\n%s", want, all)
		}
	}
	b.ignore() // more of the same may follow
	b.takeAmiss()
}
