package main

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stop is where the focus is.
type stop struct {
	Index   int // among all that can have it, in the order of the page; -1 for none of them
	Name    string
	Outline float64 // px, 0 for none
	Seen    bool    // it is in the window
	Content bool    // it is past the navigation
}

// gatherStops keeps all that can have the focus in a global, and returns how
// many there are.
const gatherStops = `(globalThis.stops = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), summary, [tabindex="0"]')].filter(e => e.checkVisibility())).length`

const whereFocus = `(() => {
	const e = document.activeElement, style = getComputedStyle(e), r = e.getBoundingClientRect();
	return {
		Index: stops.indexOf(e),
		Name: e.localName + '.' + e.className + ' ' + (e.textContent || e.getAttribute('aria-label') || e.id).trim().slice(0, 40),
		Outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
		Content: e.closest('main') !== null,
		Seen: r.bottom > 0 && r.top < innerHeight && r.right > 0 && r.left < innerWidth,
	};
})()`

// testKeyboard goes through each kind of page with the Tab key alone: it reaches all that
// can be used, in the order of the page, and what has the focus shows it.
func testKeyboard(b *tab) {
	for _, path := range everyKind {
		b.absent = b.site.url + path
		for _, width := range []int64{1440, 390} {
			b.resize(width, 900)
			b.visit(path)
			b.tabThrough(fmt.Sprintf("%s, %d px", path, width))
		}
	}

	// Enter sends a search, and follows a link.
	b.resize(1280, 800)
	b.visit("/api/v4/search/?format=api")
	act(b, chromedp.KeyEvent(kb.Tab+kb.Enter+kb.Tab))
	b.follow(chromedp.KeyEvent("hostile" + kb.Enter))
	act(b, chromedp.KeyEvent(kb.Tab+kb.Tab+kb.Tab))
	b.follow(chromedp.KeyEvent(kb.Enter))
	if p := b.path(); p != "/api/v4/packages/" {
		b.Errorf("the third Tab and Enter lead to %s", p)
	}
}

// tabThrough goes through the page with the Tab key, and then over the skip link to the
// first place past the navigation.
func (b *tab) tabThrough(where string) {
	b.Helper()
	count := eval[int](b, gatherStops)
	if count < 8 {
		b.Errorf("%s: only %d places for the focus", where, count)
	}
	past := -1 // number of the first place in the content
	for i := range count {
		act(b, chromedp.KeyEvent(kb.Tab))
		at := eval[stop](b, whereFocus)
		if at.Index != i {
			b.Fatalf("%s: Tab number %d leads to number %d, %s", where, i+1, at.Index+1, at.Name)
		}
		if at.Outline < 2 || !at.Seen {
			b.Errorf("%s: the focus is on %s, but not to be seen: %+v", where, at.Name, at)
		}
		if i == 0 && !strings.Contains(at.Name, "Skip to the content") {
			b.Errorf("%s: the first Tab leads to %s", where, at.Name)
		}
		if past < 0 && at.Content {
			past = i
		}
	}
	eval[chromedp.Void](b, `stops[0].focus()`)
	act(b, chromedp.KeyEvent(kb.Enter+kb.Tab))
	if at := eval[stop](b, whereFocus); at.Index != past || !strings.HasSuffix(b.path(), "#main") {
		b.Errorf("%s: past the skip link, the focus is on number %d, %s, not on number %d", where, at.Index+1, at.Name, past+1)
	}
}

// testDetails unfolds what is folded, with the keyboard.
func testDetails(b *tab) {
	b.visit("/api/v4/packages/lively/")
	count := eval[int](b, `document.querySelectorAll('details').length`)
	if count != 4 {
		b.Errorf("%d folds, want the chart's numbers, versions, participants and the answer", count)
	}
	for i := range count {
		for _, key := range []struct {
			press string
			open  bool
		}{{kb.Enter, true}, {kb.Enter, false}, {" ", true}, {" ", false}, {" ", true}} {
			eval[chromedp.Void](b, `document.querySelectorAll('summary')[%d].focus()`, i)
			act(b, chromedp.KeyEvent(key.press))
			if open := eval[bool](b, `document.querySelectorAll('details')[%d].open`, i); open != key.open {
				b.Errorf("fold %d: after %q it is open: %t", i, key.press, open)
			}
		}
	}
	r := b.well("unfolded", 1280)
	for _, fact := range []string{"0.0", "person-59", "Week of", "HTTP 200 OK"} {
		if !strings.Contains(r.Text, fact) {
			b.Errorf("%q is not there once all is unfolded", fact)
		}
	}
	b.phone()
	b.well("unfolded", phoneWidth)
}

// testInstall clicks on the command that installs a package: all of it is selected, and
// nothing else.
func testInstall(b *tab) {
	b.visit("/api/v4/packages/lively/")
	act(b, chromedp.Click(chromedp.CSS(`.install code`)))
	if selected := eval[string](b, `getSelection().toString()`); selected != "python -m pip install lively" {
		b.Errorf("a click selects %q", selected)
	}
}

// palette is what of a page's colours can be measured.
type palette struct {
	Ground string   // behind everything
	Texts  int      // stretches of text looked at
	Faint  []string // texts with a contrast below 4.5, and marks with one below 3
}

// readColours compares each text with what lies behind it, by the formula of
// WCAG 2, and marks that carry meaning as well.
const readColours = `(() => {
	const parse = c => {
		const n = c.match(/[\d.]+/g).map(Number);
		return c.startsWith('color(') ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1];
	};
	const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
	const behind = e => {
		const layers = [];
		for (; e; e = e.parentElement) {
			layers.push(parse(getComputedStyle(e).backgroundColor));
			if (layers.at(-1)[3] === 1) break;
		}
		return layers.reduceRight((below, c) => over(c, below));
	};
	const light = c => {
		const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
	const faint = [];
	let texts = 0;
	const check = (e, colour, least, what) => {
		const ground = behind(e), c = contrast(over(parse(colour), ground), ground);
		if (!(c >= least)) faint.push(c.toFixed(2) + ' ' + e.localName + '.' + e.className?.toString() + ' ' + what.trim().slice(0, 40));
	};
	for (const d of document.querySelectorAll('details')) d.open = true;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const text = walker.currentNode.data, e = walker.currentNode.parentElement;
		if (!text.trim() || !e.checkVisibility() || e.localName === 'title') continue;
		texts++;
		const style = getComputedStyle(e);
		check(e, e instanceof SVGElement ? style.fill : style.color, 4.5, text);
	}
	for (const e of document.querySelectorAll('.stem, .spark path, .age, .age-never, .release')) check(e, getComputedStyle(e).fill, 3, 'mark');
	for (const e of document.querySelectorAll('input:not([type=hidden])')) check(e.parentElement, getComputedStyle(e).borderTopColor, 3, 'border');
	return {Ground: getComputedStyle(document.body).backgroundColor, Texts: texts, Faint: faint};
})()`

// testColours measures the contrast of all text in both schemes.
func testColours(b *tab) {
	for _, path := range []string{"/", "/api/v4/packages/", "/api/v4/packages/lively/", "/api/v4/packages/failing/", "/api/v4/packages/elsewhere/", "/api/v4/packages/gone/", "/api/v4/grids/kinds/", "/api/v4/search/?q=lively&format=api", "/status/", "/status/packages/failing/"} {
		grounds := map[string]bool{}
		for _, scheme := range []string{"light", "dark"} {
			b.prefer(scheme)
			b.visit(path)
			p := eval[palette](b, readColours)
			if p.Texts < 20 {
				b.Errorf("%s: only %d stretches of text", path, p.Texts)
			}
			for _, what := range p.Faint {
				b.Errorf("%s, %s: too faint: %s", path, scheme, what)
			}
			grounds[p.Ground] = true
		}
		if len(grounds) != 2 {
			b.Errorf("%s looks the same, light or dark: %v", path, grounds)
		}
	}
}
