package importer

import (
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

// listing is one of the lists of a site, and where its entries go.
type listing struct {
	name  string
	link  *string
	add   func(data []byte, place string)
	clear func() // gives up what was added
}

// listPage is one page of a list.
type listPage struct {
	Count   *int              `json:"count"`
	Next    *string           `json:"next"`
	Results []json.RawMessage `json:"results"`
}

// readList reads a list, again from its first page where it changed meanwhile.
//
// A site cuts its pages by position. What is deleted from a page that has been
// read, or moved from it to the end, draws the rest forward, and an entry that
// was to come first on the next page is on none. The counts of the pages tell:
// one is less than that of a page before, or fewer entries were listed than the
// site counted. What is added in front only brings entries twice.
//
// One case cannot be told: an entry is deleted in front, and between the same two
// pages another is added behind. Packages come newest first, so that there an
// addition is always in front.
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
				"%s changed in each of %d readings, or the site miscounts them (the last time it counted %d and listed %d): some may be missing; import again",
				l.name, maxReadings, r.counted, len(r.entries)))
			return nil
		}
		w.note(l.name + " changed at the site while they were read; reading them again from the first")
		for at := range w.seen {
			if err := w.spool.drop(at); err != nil {
				return err
			}
		}
		l.clear()
		w.Problems, w.Skipped = w.Problems[:problems], skipped
	}
}

// reading is what one reading of a list showed of it.
type reading struct {
	entries map[string]bool // by their keys
	counted int             // the greatest count of a page
	fell    bool            // a page counted less than one before
}

// settled reports whether nothing was missed, as far as counts tell.
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
			page = listPage{}
			if err := json.Unmarshal(data, &page); err != nil || page.Count == nil || page.Results == nil {
				return errors.New("is no page of a list, with count and results, but starts with " + start(data))
			}
			return nil
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
			return nil, refusal{fmt.Errorf("GET %s: is a page without entries, and yet names a next one", u)}
		}
		if u, err = w.follow(u, *page.Next); err != nil {
			return nil, err
		}
	}
}

// key tells an entry from the others of its list, whether it makes sense or not.
// Two entries with one id are two: they are skipped as such, and not missed.
func key(entry []byte) string {
	var e struct {
		ID   json.RawMessage `json:"id"`
		Slug json.RawMessage `json:"slug"`
	}
	if json.Unmarshal(entry, &e) != nil || e.ID == nil {
		return string(entry)
	}
	return string(e.ID) + " " + string(e.Slug)
}
