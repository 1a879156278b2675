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

// pageLimit is how many entries a page is asked to have. The site may give fewer.
const pageLimit = "100"

// Site is a service of the documented API, to be read from its root. It is asked
// one thing at a time.
type Site struct {
	Root       string        // the API root, such as https://djangopackages.org/api/v4/
	UserAgent  string        // names the program and a contact
	Spool      string        // a folder for the pages until all of them are there; its parent exists
	StaleAfter time.Duration // age at which a record that comes from there is due

	Transport http.RoundTripper                  // the wire; nil for the network
	Progress  func(list string, done, count int) // told of each page; may be nil
	Note      func(sentence string)              // told of waits and of what is resumed; may be nil
}

func (s *Site) note(sentence string) {
	if s.Note != nil {
		s.Note(sentence)
	}
}

// Read walks the lists of categories, grids and packages and returns what they
// hold. What arrived is kept in the spool, so that after any error, or a kill,
// the next Read goes on from there; call [Site.Forget] once the collection is
// safe elsewhere.
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
	home := &site{root.Scheme, root.Host}
	w := &walk{Site: s, collector: newCollector(home, s.StaleAfter), fetcher: fetcher, spool: spool, home: home, seen: make(map[string]bool)}
	collection, err := w.all(ctx, root)
	if ctx.Err() != nil {
		return nil, errors.New("stopped; run the same command again, and it goes on from here")
	}
	return collection, err
}

// Forget removes what Read keeps for going on.
func (s *Site) Forget() error { return os.RemoveAll(s.Spool) }

// walk is one reading of a site.
type walk struct {
	*Site
	*collector
	fetcher *fetcher
	spool   *spool
	home    *site
	seen    map[string]bool // URLs of this walk
}

func (w *walk) all(ctx context.Context, root *url.URL) (*Collection, error) {
	lists, err := w.lists(ctx, root)
	if err != nil {
		return nil, err
	}
	for _, list := range []struct {
		name  string
		link  *string
		add   func(data []byte, place string)
		taken func() int
	}{
		{"categories", lists.Categories, w.addCategory, func() int { return len(w.categories.items) }},
		{"grids", lists.Grids, w.addGrid, func() int { return len(w.grids.items) }},
		{"packages", lists.Packages, w.addPackage, func() int { return len(w.packages.items) }},
	} {
		skipped := w.Skipped // of the lists before
		listed := func() int { return list.taken() + w.Skipped - skipped }
		count, err := w.list(ctx, root, list.name, *list.link, list.add, listed)
		if err != nil {
			return nil, err
		}
		if n := listed(); n < count {
			w.Warnings = append(w.Warnings, fmt.Sprintf(
				"the site counts %d %s and listed %d: some were deleted or moved while they were read; import again", count, list.name, n))
		}
	}
	w.checkReferences()
	return w.finish(), nil
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
		return errors.New("has no links to packages, grids and categories but starts with " + start(data))
	})
	if refused := (*upstream.Error)(nil); err != nil && !(errors.As(err, &refused) && (refused.Quick || refused.Outcome == upstream.Limited)) {
		err = fmt.Errorf("%w; name the root of an API like https://djangopackages.org/api/v4/", err)
	}
	return lists, err
}

// listPage is one page of a list.
type listPage struct {
	Count   *int              `json:"count"`
	Next    *string           `json:"next"`
	Results []json.RawMessage `json:"results"`
}

// list walks one list, and returns how many entries it is said to have.
func (w *walk) list(ctx context.Context, root *url.URL, name, link string, add func(data []byte, place string), listed func() int) (count int, err error) {
	u, err := w.follow(root, link)
	if err != nil {
		return 0, err
	}
	query := u.Query()
	query.Set("limit", pageLimit)
	u.RawQuery = query.Encode()
	for number := 1; ; number++ {
		var page listPage
		if err := w.load(ctx, u, func(data []byte) error {
			page = listPage{}
			if err := json.Unmarshal(data, &page); err != nil || page.Count == nil || page.Results == nil {
				return errors.New("is no page of a list, with count and results, but starts with " + start(data))
			}
			return nil
		}); err != nil {
			return 0, err
		}
		for i, entry := range page.Results {
			add(entry, fmt.Sprintf("entry %d of page %d of %s", i+1, number, name))
		}
		if w.Progress != nil {
			w.Progress(name, listed(), *page.Count)
		}
		if page.Next == nil {
			return *page.Count, nil
		}
		if len(page.Results) == 0 {
			return 0, fmt.Errorf("GET %s: is a page without entries, and yet names a next one", u)
		}
		if u, err = w.follow(u, *page.Next); err != nil {
			return 0, err
		}
	}
}

// follow returns where a link on a page leads, which must be on this site. Its
// scheme becomes that of the root: a site behind a proxy that ends TLS may
// link to http, and what was asked for safely is not asked for in the clear.
func (w *walk) follow(from *url.URL, link string) (*url.URL, error) {
	u, err := from.Parse(link)
	if err != nil || !w.home.owns(u) || u.User != nil {
		return nil, fmt.Errorf("GET %s: links to %s, away from %s://%s; not followed", from, shortQuote(link), w.home.scheme, w.home.host)
	}
	u.Scheme, u.Host, u.Fragment = w.home.scheme, w.home.host, ""
	return u, nil
}

// load hands the page at u to read, from the spool or else from the site. What
// read accepts is kept in the spool.
func (w *walk) load(ctx context.Context, u *url.URL, read func([]byte) error) error {
	at := u.String()
	if w.seen[at] {
		return fmt.Errorf("GET %s: the pages lead back to this one; not followed", at)
	}
	w.seen[at] = true
	if page := w.spool.get(at); page != nil && read(page) == nil {
		return ctx.Err()
	}
	page, err := w.fetcher.get(ctx, u)
	if err != nil {
		return err
	}
	if err := read(page); err != nil {
		return fmt.Errorf("GET %s: %w", at, err)
	}
	return w.spool.put(at, page)
}
