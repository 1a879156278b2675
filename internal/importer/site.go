package importer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"pkgmetad/internal/upstream"
)

// Site is a service of the documented API, v4, or of the older v3, to be read from its
// root. Requests are made one at a time.
type Site struct {
	Root       string        // the API root, such as https://djangopackages.org/api/v4/
	UserAgent  string        // names the program and a contact
	Spool      string        // a folder for the pages that have arrived; its parent must exist
	StaleAfter time.Duration // age at which an imported record is due

	// SameHost ignores the host in the site's links: their paths are followed on the
	// host of Root. It is for a site whose links carry an address that cannot be
	// reached from here, such as an internal one.
	SameHost bool

	// IDs returns the ids that slugs have here already; nil for none. It is asked if the site
	// has only API v3, which tells no ids: new ones are then given, higher than these.
	IDs func() (IDs, error)

	Transport http.RoundTripper                  // nil for the network
	Progress  func(list string, done, count int) // called after each page; may be nil
	Note      func(sentence string)              // called when it waits, resumes, or reads a list again; may be nil
}

func (s *Site) note(sentence string) {
	if s.Note != nil {
		s.Note(sentence)
	}
}

// Read walks the lists of categories, grids and packages and returns what they
// hold. The pages that arrived are kept in the spool: after an interruption (the
// network, a limit, the context, a kill) the next Read resumes, and after a complete
// walk it returns the same again, until [Site.Forget] is called. If Read fails because
// of what the site answered, nothing is kept: what has to be corrected there may be on
// any page.
func (s *Site) Read(ctx context.Context) (*Collection, error) {
	fetcher, root, err := newFetcher(s)
	if err != nil {
		return nil, err
	}
	spool, sentence, err := openSpool(s.Spool, root.String(), time.Now())
	if err != nil {
		return nil, err
	}
	if sentence != "" {
		s.note(sentence)
	}
	from := &origin{scheme: root.Scheme, host: root.Host, anyHost: s.SameHost}
	w := &walk{Site: s, collector: newCollector(from, s.StaleAfter), fetcher: fetcher, spool: spool, seen: make(map[string]bool)}
	collection, err := w.all(ctx, root)
	if ctx.Err() != nil {
		collection, err = nil, errors.New("stopped; run the same command again to resume")
	}
	if errors.As(err, new(refusal)) || err != nil && spool.empty() {
		err = errors.Join(err, s.Forget())
	}
	return collection, err
}

// refusal is an error because of what the site answered.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// Forget removes the pages that Read has kept.
func (s *Site) Forget() error { return os.RemoveAll(s.Spool) }

// walk is one reading of a site.
type walk struct {
	*Site
	*collector
	fetcher *fetcher
	spool   *spool
	seen    map[string]bool // URLs of the current reading of a list
	begun   bool            // a page was read, and so it is known which API the site has
}

func (w *walk) all(ctx context.Context, root *url.URL) (*Collection, error) {
	lists, err := w.lists(ctx, root)
	if err != nil {
		return nil, err
	}
	for _, l := range []listing{
		{"categories", lists.Categories, w.addCategory, w.categories.clear},
		{"grids", lists.Grids, w.addGrid, w.grids.clear},
		{"packages", lists.Packages, w.addPackage, w.packages.clear},
	} {
		if err := w.readList(ctx, root, l); err != nil {
			return nil, err
		}
	}
	w.checkReferences()
	if w.otherHost {
		w.Warnings = append(w.Warnings, fmt.Sprintf(
			"entries were skipped because their links lead to another host than %s; if both hosts are the same service, import again with --same-host", w.origin.host))
	}
	c := w.finish()
	if w.names == nil {
		return c, nil
	}
	var known IDs
	if w.IDs != nil {
		if known, err = w.IDs(); err != nil {
			return nil, err
		}
	}
	w.giveIDs(known)
	c.Warnings = append(c.Warnings,
		"this API, v3, tells neither ids nor when a repository was last committed to: ids not known here were given by age, and the first pass asks GitHub for the rest")
	return c, nil
}

// apiRoot is the answer of the root: where the lists are.
type apiRoot struct {
	Packages   *string `json:"packages"`
	Grids      *string `json:"grids"`
	Categories *string `json:"categories"`
}

func (w *walk) lists(ctx context.Context, root *url.URL) (lists apiRoot, err error) {
	err = w.load(ctx, root, func(data []byte) error {
		if err := json.Unmarshal(data, &lists); err == nil && lists.Packages != nil && lists.Grids != nil && lists.Categories != nil {
			return nil
		}
		return errors.New("has no links to packages, grids and categories; it starts with " + start(data))
	})
	if refused := (*upstream.Error)(nil); err != nil && !(errors.As(err, &refused) && (refused.Quick || refused.Outcome == upstream.Limited)) {
		err = fmt.Errorf("%w; name the root of an API like https://djangopackages.org/api/v4/, or /api/v3/ where there is only that", err)
	}
	return lists, err
}

// follow returns the URL that a link on the page from leads to, which must be on this
// site. It gets the scheme and host of the root: a site behind a proxy that terminates
// TLS may link to http, but a site that was given as https is never asked in the clear.
func (w *walk) follow(from *url.URL, link string) (*url.URL, error) {
	u, err := from.Parse(link)
	if err != nil {
		err = errors.New("is not a URL")
	} else {
		err = w.origin.check(u)
	}
	if err != nil {
		err = fmt.Errorf("GET %s: its link %s %w and was not followed", from, quoteLink(link), err)
		if errors.Is(err, errOtherHost) {
			err = fmt.Errorf("%w; if both hosts are the same service, import from the address in its links, %s, or add --same-host to follow their paths on %s",
				err, u.ResolveReference(&url.URL{Path: "../"}), w.origin.host)
		}
		return nil, refusal{err}
	}
	u.Scheme, u.Host, u.Fragment = w.origin.scheme, w.origin.host, ""
	return u, nil
}

// load gets the page at u, from the spool or else from the site, and passes it to
// read. A page that read accepts is kept in the spool.
func (w *walk) load(ctx context.Context, u *url.URL, read func([]byte) error) error {
	at := u.String()
	if w.seen[at] {
		return refusal{fmt.Errorf("GET %s: the links from page to page lead back to this one", at)}
	}
	w.seen[at] = true
	if page := w.spool.get(at); page != nil && read(page) == nil {
		return ctx.Err()
	}
	page, err := w.fetcher.get(ctx, u)
	if err != nil && !interrupted(err) {
		return refusal{err}
	}
	if err != nil {
		return err
	}
	if err := read(page); err != nil {
		return refusal{fmt.Errorf("GET %s: %w", at, err)}
	}
	return w.spool.put(at, page)
}
