package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserVariable set to "required" makes a missing browser a failure.
const browserVariable = "PKGMETAD_BROWSER"

// findBrowser returns the browser to test with.
func findBrowser(t *testing.T) string {
	t.Helper()
	required := os.Getenv(browserVariable) == "required"
	if testing.Short() && !required {
		t.Skip("not in a short run")
	}
	names := []string{"chromium", "chromium-browser", "google-chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing := fmt.Sprintf("no browser to look at the pages with: none of %s is in PATH; on Debian: apt-get install --no-install-recommends chromium", strings.Join(names, ", "))
	if required {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// startBrowser starts a browser, without a window and with a profile of its own,
// and returns the context that tabs are opened in. It finds no host by name, so
// that not even a mistake reaches the network.
func startBrowser(t *testing.T, program string) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // which root and containers cannot have; all pages are our own
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("stop the browser: %v", err)
		}
		cancel()
		release()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return ctx
}

// A tab is a tab of the browser, watched for what no page may do.
type tab struct {
	*testing.T
	site *site
	ctx  context.Context

	answering sync.WaitGroup // dialogs
	mu        sync.Mutex
	absent    string   // the one address that may answer 404
	amiss     []string // what went wrong so far
	ignoring  bool     // nothing counts as amiss
}

// openTab opens a tab until the test ends, which fails if anything was amiss.
func openTab(t *testing.T, browser context.Context, s *site) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	b := &tab{T: t, site: s, ctx: ctx}
	t.Cleanup(func() {
		for _, what := range b.takeAmiss() {
			t.Error(what)
		}
		cancel()
		b.answering.Wait()
	})
	if err := chromedp.Listen(ctx, b.see); err != nil {
		t.Fatal(err)
	}
	do(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	b.resize(1280, 800)
	return b
}

// see takes note of an event if it should not be.
func (b *tab) see(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var said []string
			for _, a := range e.Args {
				said = append(said, string(a.Value)+a.Description)
			}
			b.note("console %s: %s", e.Type, strings.Join(said, " "))
		}
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			what += " " + string(x.Value) + x.Description
		}
		b.note("exception: %s", what)
	case *log.EventEntryAdded:
		if (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) && !b.mayBeAbsent(e.Entry.URL) {
			b.note("log %s: %s: %s (%s)", e.Entry.Level, e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Scheme+"://"+u.Host != b.site.url {
			b.note("request elsewhere: %s", e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 && !b.mayBeAbsent(e.Response.URL) {
			b.note("answer %d: %s", e.Response.Status, e.Response.URL)
		}
	case *network.EventLoadingFailed:
		b.note("request failed: %s %s %s", e.Type, e.ErrorText, e.BlockedReason)
	case *page.EventJavascriptDialogOpening:
		b.note("dialog: %s", e.Message)
		b.answering.Go(func() { // else the page stands still
			_, _ = chromedp.Call(b.ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
		})
	}
}

func (b *tab) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ignoring {
		b.amiss = append(b.amiss, fmt.Sprintf(format, args...))
	}
}

// ignore ends the watch.
func (b *tab) ignore() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ignoring = true
}

func (b *tab) takeAmiss() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.amiss
	b.amiss = nil
	return all
}

func (b *tab) mayBeAbsent(address string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.absent != "" && address == b.absent
}

// act does something in the tab.
func act[T any](b *tab, action chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// do gives the tab a command of the browser's protocol.
func do[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.Helper()
	act(b, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	}))
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string, args ...any) T {
	b.Helper()
	return act(b, chromedp.Evaluate[T](fmt.Sprintf(expression, args...)))
}

// visit opens a page of the site.
func (b *tab) visit(path string) *network.Response {
	b.Helper()
	return act(b, chromedp.NavigateResponse(b.site.url+path))
}

// follow does what leads to another page, and waits for it.
func (b *tab) follow(action chromedp.Action[chromedp.Void]) *network.Response {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, action)
	if err != nil {
		b.Fatal(err)
	}
	return resp
}

// path is where the tab is.
func (b *tab) path() string {
	b.Helper()
	return eval[string](b, `location.pathname + location.search + location.hash`)
}

func (b *tab) resize(width, height int64) {
	b.Helper()
	act(b, chromedp.EmulateViewport(width, height))
}

// phone makes the tab that of a small phone.
func (b *tab) phone() {
	b.Helper()
	act(b, chromedp.EmulateViewport(phoneWidth, 740, chromedp.EmulateMobile, chromedp.EmulateTouch))
}

const phoneWidth = 360 // px

// prefer sets the colour scheme that the reader prefers: light or dark.
func (b *tab) prefer(scheme string) {
	b.Helper()
	do(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
}
