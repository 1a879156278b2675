package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/render"
	"pkgmetad/store"
)

const (
	changesPath = "/changes/"

	defaultChanges = 100   // entries without ?limit=
	maxChanges     = 10000 // upper bound of ?limit= in any case: an answer is built in memory
	maxWait        = 60    // seconds, upper bound of ?wait=

	aheadWait = 2 * time.Second // for the store to come to a sequence that the reader has from another host

	sendTime = 30 * time.Second // for sending the answer after the wait
)

// changes is the feed: what changed after ?since=, in the order of the changes.
func (a *api) changes() view {
	return view{
		name:        "Changes",
		description: "The packages that changed or left after a point in time, in the order in which they did. Programs that keep a copy go by it: ?since= is the number to begin after, ?limit= bounds the answer, and ?wait= holds it for up to so many seconds until there is something to tell.",
		get:         a.getChanges,
	}
}

// serveChanges serves the feed. Its clients may wait for longer than the deadlines
// of the server allow, so it sets later ones: that for reading as well, because
// when it passes the request's context ends.
func (a *api) serveChanges(w http.ResponseWriter, r *http.Request) {
	controller, deadline := http.NewResponseController(w), time.Now().Add(maxWait*time.Second+sendTime)
	_ = errors.Join(controller.SetReadDeadline(deadline), controller.SetWriteDeadline(deadline)) // if this fails, the wait is cut short
	a.answer(w, r, a.changes(), "", "")
}

func (a *api) getChanges(e *render.Encoder, rq *request) error {
	since, err := rq.number("since", 0)
	if err != nil {
		return err
	}
	limit, err := rq.number("limit", defaultChanges)
	if err != nil {
		return err
	}
	wait, err := rq.number("wait", 0)
	if err != nil {
		return err
	}
	if limit == 0 {
		limit = defaultChanges
	}
	limit = min(limit, maxChanges)
	if a.maxLimit > 0 {
		limit = min(limit, uint64(a.maxLimit))
	}
	read := func() ([]store.Change, uint64, bool, error) {
		return a.waitForChanges(rq, since, int(limit), time.Duration(min(wait, maxWait))*time.Second)
	}
	entries, next, more, err := read()
	if errors.Is(err, store.ErrAhead) {
		if err = a.catchUp(rq.Context(), since); err == nil {
			rq.changed = a.store.Changed()
			entries, next, more, err = read()
		}
	}
	switch {
	case errors.Is(err, store.ErrForgotten):
		return &problem{http.StatusGone, fmt.Sprintf("The changes since %d are not known here any more, or never were. Take the snapshot %s and go on from the sequence in its header %s, or begin again with since=0.", since, a.snapshotBase+snapshotPath, sequenceHeader)}
	case errors.Is(err, store.ErrAhead):
		return errBehind
	case err != nil:
		return err
	}
	rq.changed = latest(rq.changed, a.pagesChanged)
	// The links are those of the snapshot, whatever host the request was sent to:
	// a copy that is made from both is then consistent.
	links := render.Links{Base: cmp.Or(a.snapshotBase, rq.links.Base), Suffix: "/"}
	e.Open('{')
	e.Key("next")
	e.Uint(next)
	e.Key("more")
	e.Bool(more)
	e.Key("changes")
	e.Open('[')
	for i := range entries {
		e.Item()
		writeChange(e, links, &entries[i], a.location)
	}
	e.Close(']')
	e.Close('}')
	return nil
}

// waitForChanges reads the feed. If nothing has changed after since, it waits for
// a change, for at most the given time.
func (a *api) waitForChanges(rq *request, since uint64, limit int, wait time.Duration) (entries []store.Change, next uint64, more bool, err error) {
	ctx, cancel := context.WithTimeout(rq.Context(), wait)
	defer cancel()
	for {
		entries, next, more, err = a.store.Changes(since, limit)
		if len(entries) > 0 || more || err != nil || wait == 0 {
			return entries, next, more, err
		}
		switch err := a.wait(ctx, next); {
		case errors.Is(err, errWaiting):
			return nil, 0, false, err
		case err != nil: // the time is over, the server stops, or the client has gone
			return entries, next, more, nil
		}
		rq.changed = a.store.Changed()
	}
}

// catchUp waits until the store has come to a sequence that is ahead of it, for at most
// aheadWait. Where it has not, the error is a [store.ErrForgotten] if no host has either, so
// that it is no sequence of this feed, and else a [store.ErrAhead].
func (a *api) catchUp(ctx context.Context, since uint64) error {
	waiting, cancel := context.WithTimeout(ctx, aheadWait)
	defer cancel()
	err := a.wait(waiting, since-1)
	if err == nil || errors.Is(err, errWaiting) {
		return err
	}
	if a.newest != nil && ctx.Err() == nil {
		if newest, err := a.newest(ctx); err == nil && since > newest {
			return store.ErrForgotten
		}
	}
	return store.ErrAhead
}

// errBehind is for a reader that has been told more by another host.
var errBehind = &problem{http.StatusServiceUnavailable, "This host has not come to that sequence yet, which another one may have given out. Try again later, or ask that one."}

// wait waits for a change after a sequence. Waiting clients hold connections, so
// their number is limited to leave some for others.
func (a *api) wait(ctx context.Context, since uint64) error {
	select {
	case a.waiting <- struct{}{}:
		defer func() { <-a.waiting }()
		return a.store.Wait(ctx, since)
	default:
		return errWaiting
	}
}

var errWaiting = &problem{http.StatusServiceUnavailable, "Too many readers wait for changes. Try again later, or without wait."}

func writeChange(e *render.Encoder, links render.Links, c *store.Change, location *time.Location) {
	e.Open('{')
	e.Key("sequence")
	e.Uint(c.Sequence)
	e.Key("kind")
	if c.Deleted {
		e.String("delete")
	} else {
		e.String("upsert")
	}
	e.Key("id")
	e.Int(c.ID)
	e.Key("at")
	e.Time(c.At, location)
	if c.Deleted {
		e.Key("slug")
		e.String(c.Slug)
	}
	e.Key("record")
	if c.Deleted {
		e.Null()
	} else {
		e.Template(c.Body, links)
	}
	e.Close('}')
}

// number reads a non-negative integer from the query; fallback if it is missing
// or empty.
func (rq *request) number(name string, fallback uint64) (uint64, error) {
	text, given := rq.query.get(name)
	if text = strings.TrimSpace(text); !given || text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, &problem{http.StatusBadRequest, "The parameter " + name + " needs a whole number that is not negative."}
	}
	return n, nil
}
