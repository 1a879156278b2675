package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A change is an entry of the feed.
type change struct {
	Sequence uint64
	Kind     string
	ID       int
	At       time.Time
	Record   json.RawMessage
	fields   struct {
		Slug        string
		PyPIURL     string     `json:"pypi_url"` // "" for null
		LastFetched *time.Time `json:"last_fetched"`
		Modified    time.Time
	}
}

type changes struct {
	Next    uint64
	More    bool
	Changes []change
}

// changes reads the feed of a host.
func (h *host) changes(ctx context.Context, since uint64, wait int) (c changes, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Second+20*time.Second)
	defer cancel()
	if err := h.read(ctx, fmt.Sprintf("/changes/?since=%d&limit=1000&wait=%d", since, wait), &c); err != nil {
		return c, err
	}
	for i := range c.Changes {
		x := &c.Changes[i]
		if err := json.Unmarshal(x.Record, &x.fields); err != nil { // null, of a deletion, changes nothing
			return c, err
		}
	}
	return c, nil
}

// readers read the feeds of all hosts, and keep one copy of what these tell. What any host
// has told, a majority has on disk: no host may take it back, or tell otherwise. They also
// look all the time whether the API of each host answers that should.
type readers struct {
	site        *site
	wrongClocks bool // the hosts' clocks are wrong at times, so that times tell little
	stop        context.CancelFunc
	all         sync.WaitGroup

	mu       sync.Mutex
	copy     map[int]change // the newest that any host told, by id
	told     int
	wrong    []error // contradictions
	answers  int
	failures []error // of the API
	slowest  time.Duration
}

func newReaders(s *site) *readers { return &readers{site: s, copy: map[int]change{}} }

// read begins to read hosts.
func (s *site) read(t *testing.T, hosts ...*host) {
	r := s.readers
	if r.stop == nil {
		var ctx context.Context
		ctx, r.stop = context.WithCancel(context.Background())
		t.Cleanup(func() { r.stop(); r.all.Wait() })
		r.follow(ctx, hosts)
	}
}

func (r *readers) follow(ctx context.Context, hosts []*host) {
	for _, h := range hosts {
		r.all.Go(func() { r.feed(ctx, h) })
		r.all.Go(func() { r.probe(ctx, h) })
	}
}

// end ends reading, and fails the test if any host contradicted another, or did not answer.
func (r *readers) end(t *testing.T) {
	t.Helper()
	r.stop()
	r.all.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.wrong[:min(len(r.wrong), 10)] {
		t.Error(err)
	}
	for _, err := range r.failures[:min(len(r.failures), 10)] {
		t.Error(err)
	}
	if len(r.failures) > 0 {
		t.Errorf("%d of %d requests failed to hosts that were up", len(r.failures), r.answers+len(r.failures))
	}
}

func (r *readers) figures() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d changes told of %d packages, %d contradictions; %d requests to the APIs answered, %d not, the slowest in %s",
		r.told, len(r.copy), len(r.wrong), r.answers, len(r.failures), r.slowest.Round(time.Millisecond))
}

// feed reads the feed of one host. That it does not answer is no contradiction.
func (r *readers) feed(ctx context.Context, h *host) {
	next := uint64(0)
	for ctx.Err() == nil {
		c, err := h.changes(ctx, next, 5)
		if err != nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		r.take(h, next, c)
		next = max(next, c.Next)
	}
}

// take takes over what a host told.
func (r *readers) take(h *host, after uint64, c changes) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Next < after {
		r.wrong = append(r.wrong, fmt.Errorf("the feed of host %s went back from %d to %d", h.name, after, c.Next))
	}
	for _, x := range c.Changes {
		if x.Sequence <= after {
			r.wrong = append(r.wrong, fmt.Errorf("on host %s, change %d follows %d in the feed", h.name, x.Sequence, after))
		}
		after = x.Sequence
		r.told++
		before, known := r.copy[x.ID]
		if known && x.Sequence == before.Sequence {
			if err := r.contradicts(before, x); err != nil {
				r.wrong = append(r.wrong, fmt.Errorf("host %s: %w", h.name, err))
			}
		}
		if !known || x.Sequence > before.Sequence {
			if err := r.contradicts(before, x); known && err != nil {
				r.wrong = append(r.wrong, fmt.Errorf("host %s: %w", h.name, err))
			}
			r.copy[x.ID] = x
		}
	}
}

// contradicts says how a change contradicts one of the same package that was told before.
func (r *readers) contradicts(before, now change) error {
	switch {
	case now.Sequence < before.Sequence:
		return fmt.Errorf("package %d is at change %d, and was at %d", now.ID, now.Sequence, before.Sequence)
	case now.Sequence == before.Sequence && (now.Kind != before.Kind || !bytes.Equal(now.Record, before.Record)):
		return fmt.Errorf("change %d of package %d is another one here:\n%s\n%s", now.Sequence, now.ID, before.Record, now.Record)
	case now.Kind != "upsert" || before.Kind != "upsert" || r.wrongClocks:
	case before.fields.LastFetched != nil && (now.fields.LastFetched == nil || now.fields.LastFetched.Before(*before.fields.LastFetched)):
		return fmt.Errorf("last_fetched of %s went back:\n%s\n%s", now.fields.Slug, before.Record, now.Record)
	case now.fields.Modified.Before(before.fields.Modified):
		return fmt.Errorf("modified of %s went back:\n%s\n%s", now.fields.Slug, before.Record, now.Record)
	}
	return nil
}

// promise notes what a host has of a package of which it has acknowledged a refresh that began
// then: nothing older may be told any more.
func (r *readers) promise(ctx context.Context, h *host, slug string, began time.Time) {
	since, wants := r.behind(slug, began)
	if !wants {
		return
	}
	c, err := h.changes(ctx, since, 0)
	if err != nil || c.More {
		return // it was killed meanwhile, say
	}
	for _, x := range c.Changes {
		if x.Kind == "upsert" && x.fields.Slug == slug && x.fields.LastFetched != nil && !x.fields.LastFetched.Before(began) {
			r.take(h, since, c)
			return
		}
	}
	if _, wants := r.behind(slug, began); wants {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.wrong = append(r.wrong, fmt.Errorf("host %s acknowledged a refresh of %s that began at %s, and does not serve it:\n%v", h.name, slug, began, c.Changes))
	}
}

// behind reports whether what was told of a package is from before a moment, and at which
// change it was told.
func (r *readers) behind(slug string, moment time.Time) (sequence uint64, yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.copy {
		if x.Kind == "upsert" && x.fields.Slug == slug {
			return x.Sequence, x.fields.LastFetched == nil || x.fields.LastFetched.Before(moment)
		}
	}
	return 0, false
}

// slug returns the slug of some package that was fetched, of which GitHub alone knows if so
// asked; "" for none.
func (r *readers) slug(gitHub bool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.copy { // in no order
		if x.Kind == "upsert" && x.fields.LastFetched != nil && (!gitHub || x.fields.PyPIURL == "") {
			return x.fields.Slug
		}
	}
	return ""
}

// verify holds what a host serves against all that any ever told.
func (r *readers) verify(t *testing.T, h *host) {
	t.Helper()
	now := map[int]change{}
	for since, more := uint64(0), true; more; {
		c, err := h.changes(t.Context(), since, 0)
		must(t, err)
		for _, x := range c.Changes {
			now[x.ID] = x
		}
		since, more = c.Next, c.More
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := 0
	for id, x := range r.copy {
		y, there := now[id]
		err := r.contradicts(x, y)
		if !there {
			err = fmt.Errorf("package %d is not there; it was at change %d:\n%s", id, x.Sequence, x.Record)
		}
		if err != nil {
			if lost++; lost <= 5 {
				t.Errorf("on host %s, something is lost or undone: %v", h.name, err)
			}
		}
	}
	if lost > 0 {
		t.Errorf("on host %s, %d of %d records are lost or undone", h.name, lost, len(r.copy))
	}
}

// probe looks whether a host's API answers, all the time that it should.
func (r *readers) probe(ctx context.Context, h *host) {
	first := fmt.Sprintf("/api/v4/packages/%d/", r.site.world.Catalogue().Packages[0].ID)
	paths := []string{first, "/api/v4/packages/?limit=20", "/readyz", "/livez", "/changes/?since=0&limit=3", "/status/", "/api/v4/categories/"}
	for ctx.Err() == nil {
		pause(ctx, 20*time.Millisecond+rand.N(60*time.Millisecond))
		since := h.up()
		if since.IsZero() {
			continue
		}
		path := paths[rand.IntN(len(paths))]
		began := time.Now()
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		a, err := h.get(limited, path, "application/json")
		cancel()
		if h.up() != since || ctx.Err() != nil {
			continue // it was killed meanwhile
		}
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("status %d: %s", a.status, bytes.TrimSpace(a.body))
		}
		r.mu.Lock()
		if err != nil {
			r.failures = append(r.failures, fmt.Errorf("%s: host %s: %s: %w", time.Now().UTC().Format("15:04:05.000"), h.name, path, err))
		} else {
			r.answers++
			r.slowest = max(r.slowest, time.Since(began))
		}
		r.mu.Unlock()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
