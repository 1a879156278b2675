package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"
)

// A reader keeps a copy of a site by its feed of changes. What it has been told, the
// site has acknowledged: it may never be taken back.
type reader struct {
	mu       sync.Mutex
	next     uint64       // sequence that it goes on after
	copy     map[int]told // by id
	commits  int          // answers that told something new: at least so many commits
	records  int          // records told
	progress chan struct{}

	began       time.Time
	wrongClocks bool // the site's clock may be wrong at times, by more than this run takes
}

// told is the last that was told of a package.
type told struct {
	Sequence uint64
	Kind     string
	ID       int
	Record   json.RawMessage
	fields   struct {
		Slug        string
		LastFetched *time.Time `json:"last_fetched"`
		Modified    time.Time
	}
}

// live reports whether it is there: the last that was told was not that it left.
func (x *told) live() bool { return x.Kind == "upsert" }

type changes struct {
	Next    uint64
	More    bool
	Changes []told
}

func newReader() *reader {
	return &reader{copy: map[int]told{}, progress: make(chan struct{}), began: time.Now()}
}

// get reads the body of a success.
func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, resp.Status, bytes.TrimSpace(body))
	}
	return body, err
}

func getChanges(ctx context.Context, base string, since uint64, wait int) (c changes, err error) {
	body, err := get(ctx, fmt.Sprintf("%s/changes/?since=%d&limit=1000&wait=%d", base, since, wait))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(body, &c); err != nil {
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

// compare says how the site contradicts what it told before of the same package.
func (r *reader) compare(now told) error {
	before, known := r.copy[now.ID]
	switch {
	case !known:
	case now.Sequence < before.Sequence:
		return fmt.Errorf("package %d is at change %d, and was at %d", now.ID, now.Sequence, before.Sequence)
	case now.Sequence == before.Sequence && (now.Kind != before.Kind || !bytes.Equal(now.Record, before.Record)):
		return fmt.Errorf("change %d of package %d is another one now:\n%s\n%s", now.Sequence, now.ID, before.Record, now.Record)
	case !now.live() || !before.live():
	case r.wrongClocks && (now.fields.LastFetched == nil || !r.right(&before) || !r.right(&now)):
		// Under a clock that is behind, what a right one told passes for wrong.
	case before.fields.LastFetched != nil && (now.fields.LastFetched == nil || now.fields.LastFetched.Before(*before.fields.LastFetched)):
		return fmt.Errorf("last_fetched of %s went back:\n%s\n%s", now.fields.Slug, before.Record, now.Record)
	case r.wrongClocks && before.fields.Modified.Sub(now.fields.Modified) < time.Second:
		// A clock that is set back in the middle of a write takes back what that took.
	case now.fields.Modified.Before(before.fields.Modified):
		return fmt.Errorf("modified of %s went back:\n%s\n%s", now.fields.Slug, before.Record, now.Record)
	}
	return nil
}

// right reports whether a record's times are of this run, as a right clock tells them.
// One that a wrong clock has dated has at least one that is not.
func (r *reader) right(x *told) bool {
	for _, at := range []*time.Time{&x.fields.Modified, x.fields.LastFetched} {
		if at != nil && (at.Before(r.began) || at.After(time.Now())) {
			return false
		}
	}
	return true
}

// take takes over changes after r.next.
func (r *reader) take(c changes) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.Next < r.next {
		return fmt.Errorf("the feed went back from %d to %d", r.next, c.Next)
	}
	last := r.next
	for _, x := range c.Changes {
		if x.Sequence <= last {
			return fmt.Errorf("change %d follows %d in the feed", x.Sequence, last)
		}
		last = x.Sequence
		if err := r.compare(x); err != nil {
			return err
		}
		r.copy[x.ID] = x
		r.records++
	}
	if len(c.Changes) > 0 {
		r.commits++
		close(r.progress)
		r.progress = make(chan struct{})
	}
	r.next = c.Next
	return nil
}

// verify holds a site that has come back against everything that it ever told.
func (r *reader) verify(t *testing.T, base string) {
	t.Helper()
	for more := true; more; { // first the feed goes on where the reader is
		c, err := getChanges(t.Context(), base, r.sequence(), 0)
		must(t, err)
		must(t, r.take(c))
		more = c.More
	}
	all, err := getChanges(t.Context(), base, 0, 0) // then what it is now as a whole
	must(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := map[int]told{}
	for _, x := range all.Changes { // a package that came back is listed as it left, then as it is
		now[x.ID] = x
	}
	for _, x := range now {
		if err := r.compare(x); err != nil {
			t.Fatal(err)
		}
	}
	for id, x := range r.copy {
		if _, there := now[id]; x.live() && !there {
			t.Fatalf("%s has been lost; it was at change %d:\n%s", x.fields.Slug, x.Sequence, x.Record)
		}
	}
	if all.Next < r.next || all.More {
		t.Fatalf("the feed ends at %d (more: %t), and was at %d", all.Next, all.More, r.next)
	}
}

// follow reads the feed until stop is called, which returns how the site contradicted
// itself. That it does not answer is no contradiction: it is being killed.
func (r *reader) follow(base string) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := getChanges(ctx, base, r.sequence(), 5)
			if ctx.Err() != nil {
				ended <- nil
				return
			}
			if err != nil {
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
				continue
			}
			if err := r.take(c); err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

func (r *reader) sequence() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}

// awaitNews waits until the reader has been told of n changes more.
func (r *reader) awaitNews(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for range n {
		r.mu.Lock()
		progress := r.progress
		r.mu.Unlock()
		select {
		case <-progress:
		case <-deadline:
			t.Fatalf("no change has come for %s", patience)
		}
	}
}

// fetched returns the slugs of packages of which all is known.
func (r *reader) fetched() (slugs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.copy {
		if x.live() && x.fields.LastFetched != nil {
			slugs = append(slugs, x.fields.Slug)
		}
	}
	return slugs
}

// figures tells what the reader was told.
func (r *reader) figures() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d commits seen, %d records", r.commits, r.records)
}

// promise notes that a refresh of a package that began then has been acknowledged,
// whether or not a record has told of it.
func (r *reader) promise(slug string, began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, x := range r.copy {
		if x.live() && x.fields.Slug == slug && x.fields.LastFetched.Before(began) {
			x.Sequence++ // what comes is another record
			x.fields.LastFetched = &began
			r.copy[id] = x
		}
	}
}
