package importer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

const (
	// pageLimit is how many entries a page is asked to have. The site may give fewer.
	pageLimit = "100"

	// maxReadings is how often a list is read that changes meanwhile.
	maxReadings = 3
)

// listing is one of the lists of a site, with the functions that take its entries.
type listing struct {
	name  string
	link  *string
	add   func(data []byte, place string)
	clear func() // discards what was added
}

// listPage is one page of a list: as API v4 has it, and with Meta and Objects as v3 has it.
type listPage struct {
	Count   *int              `json:"count"`
	Next    *string           `json:"next"`
	Results []json.RawMessage `json:"results"`

	Meta struct {
		Count *int    `json:"total_count"`
		Next  *string `json:"next"`
	} `json:"meta"`
	Objects []json.RawMessage `json:"objects"`
}

// readPage reads a page. The first one of all tells which API the site has.
func (w *walk) readPage(data []byte) (page listPage, err error) {
	err = json.Unmarshal(data, &page)
	v3 := page.Meta.Count != nil && page.Objects != nil
	if err == nil && v3 && (w.names != nil || !w.begun) {
		if w.names == nil {
			w.names = new(names)
		}
		page.Count, page.Next, page.Results = page.Meta.Count, page.Meta.Next, page.Objects
	} else if err != nil || w.names != nil || page.Count == nil || page.Results == nil {
		return page, errors.New("is not a page of a list with count and results, nor one of API v3 with meta and objects; it starts with " + start(data))
	}
	w.begun = true
	return page, nil
}

// readList reads a list, and starts again from its first page if it changed meanwhile.
//
// Pages are cut by position. When an entry is deleted from a page that has been read,
// or moved from there to the end, the rest moves forward, and the entry that would
// have been first on the next page is on none. The counts show that: a page's count
// is less than that of a page before, or fewer entries were listed than the site
// counted. Entries added at the front only make others occur twice.
//
// One case goes unnoticed: between the same two pages, an entry is deleted at the
// front and another added at the end. Packages come newest first, so additions to
// their list are always at the front; in API v3 they come by title, so additions are
// anywhere.
func (w *walk) readList(ctx context.Context, root *url.URL, l listing) error {
	problems, skipped := len(w.Problems), w.Skipped // of the lists before
	for reading := 1; ; reading++ {
		w.seen = make(map[string]bool)
		r, err := w.readOnce(ctx, root, l)
		if err != nil || r.settled() {
			return err
		}
		if reading == maxReadings {
			w.Unsettled = append(w.Unsettled, l.name)
			w.Warnings = append(w.Warnings, fmt.Sprintf(
				"%s changed each of the %d times they were read, or the site miscounts them (the last time it counted %d and listed %d): some may be missing; import again",
				l.name, maxReadings, r.counted, len(r.entries)))
			return nil
		}
		w.note(l.name + " changed at the site while they were being read; reading them again from the start")
		for at := range w.seen {
			if err := w.spool.drop(at); err != nil {
				return err
			}
		}
		l.clear()
		w.Problems, w.Skipped = w.Problems[:problems], skipped
	}
}

// reading is what was seen in one reading of a list.
type reading struct {
	entries map[string]bool // by their keys
	counted int             // the greatest count of a page
	fell    bool            // the count of a page was less than that of an earlier page
}

// settled reports whether nothing was missed, as far as the counts show.
func (r *reading) settled() bool { return !r.fell && len(r.entries) >= r.counted }

// readOnce reads a list from its first page to its last.
func (w *walk) readOnce(ctx context.Context, root *url.URL, l listing) (*reading, error) {
	u, err := w.follow(root, *l.link)
	if err != nil {
		return nil, err
	}
	query := u.Query()
	query.Set("limit", pageLimit)
	u.RawQuery = query.Encode()
	r := &reading{entries: make(map[string]bool)}
	for number := 1; ; number++ {
		var page listPage
		if err := w.load(ctx, u, func(data []byte) error {
			var err error
			page, err = w.readPage(data)
			return err
		}); err != nil {
			return nil, err
		}
		for i, entry := range page.Results {
			l.add(entry, fmt.Sprintf("entry %d of page %d of %s", i+1, number, l.name))
			r.entries[key(entry)] = true
		}
		r.fell = r.fell || *page.Count < r.counted
		r.counted = max(r.counted, *page.Count)
		if w.Progress != nil {
			w.Progress(l.name, len(r.entries), *page.Count)
		}
		if page.Next == nil {
			return r, nil
		}
		if len(page.Results) == 0 {
			return nil, refusal{fmt.Errorf("GET %s: the page has no entries but links to a next one", u)}
		}
		if u, err = w.follow(u, *page.Next); err != nil {
			return nil, err
		}
	}
}

// key identifies an entry in its list, whether it is valid or not. Two different
// entries with the same id count as two, as they do at the site: one of them is
// skipped as invalid, not missed. In API v3 the path of an entry stands for its id.
func key(entry []byte) string {
	var e struct {
		ID   json.RawMessage `json:"id"`
		Path json.RawMessage `json:"resource_uri"`
		Slug json.RawMessage `json:"slug"`
	}
	if json.Unmarshal(entry, &e) != nil || e.ID == nil && e.Path == nil {
		return string(entry)
	}
	return cmp.Or(string(e.ID), string(e.Path)) + " " + string(e.Slug)
}
