package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeVariable names the file with axe-core, which .ci/axe provides: a script that looks for
// what keeps people from using a page (https://www.deque.com/axe/).
const axeVariable = "PKGMETAD_AXE"

// axeScript returns the source of axe-core.
func axeScript(t *testing.T) string {
	t.Helper()
	file := os.Getenv(axeVariable)
	if file == "" {
		const missing = "no axe-core to examine the pages with: " + axeVariable + ` does not name its file; try ` + axeVariable + `="$(.ci/axe FOLDER)"`
		if os.Getenv(browserVariable) == "required" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%s: %v", axeVariable, err)
	}
	return string(script)
}

// everyKind are the addresses of one page or more of each kind.
var everyKind = []string{
	"/api/v4/", "/api/v4/packages/", "/api/v4/packages/lively/", "/api/v4/packages/hostile/", "/api/v4/packages/failing/", "/api/v4/packages/elsewhere/",
	"/api/v4/grids/", "/api/v4/grids/kinds/", "/api/v4/categories/", "/api/v4/categories/90/",
	"/api/v4/packages/?sort=-stars", "/api/v4/grids/kinds/?sort=name&alive=yes&stable=yes", "/api/v4/grids/kinds/?view=django", "/api/v4/categories/90/?view=django",
	"/api/v4/search/?format=api", "/api/v4/search/?q=lively&format=api", "/api/v4/search/?q=nothingiscalledthis&format=api",
	"/status/", "/status/packages/failing/", "/changes/", "/api/v4/packages/livel/", "/no/such/page",
}

// A violation is a rule of axe that a page breaks.
type violation struct {
	Rule, Help string
	Where      []string // the elements
}

const runAxe = `(() => {
	for (const d of document.querySelectorAll('details')) d.open = true;
	return axe.run(document, {preload: false, resultTypes: ['violations'], ...%s}).then(found => found.violations.map(v => ({
		Rule: v.id, Help: v.help, Where: v.nodes.map(n => n.html.slice(0, 200)),
	})));
})()`

// schemes are the colour schemes with the options of axe for each: only colours depend on it.
var schemes = []struct{ name, options string }{{"light", "{}"}, {"dark", "{runOnly: 'cat.color'}"}}

// testAxe examines each kind of page on a desk and on a phone, light and dark, with all that
// folds unfolded: axe finds nothing.
func testAxe(b *tab) {
	script := axeScript(b.T)
	for _, path := range everyKind {
		b.absent = b.site.url + path
		for _, width := range []int64{1440, 390} {
			b.resize(width, 900)
			b.visit(path)
			act(b, chromedp.Evaluate[chromedp.Void](script)) // which the policy keeps out of the page, but not its debugger
			for _, scheme := range schemes {
				b.prefer(scheme.name)
				for _, v := range act(b, chromedp.Evaluate[[]violation](fmt.Sprintf(runAxe, scheme.options), chromedp.EvalAwaitPromise)) {
					b.Errorf("%s, %d px, %s: %s (%s): %q", path, width, scheme.name, v.Help, v.Rule, v.Where)
				}
			}
		}
	}
}
