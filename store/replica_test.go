package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// stream is what the hosts of a cluster share, in memory: the last message of each name.
type stream struct {
	messages []record.Message // ascending
	sequence uint64
	clock    func() time.Time
}

func newStream() *stream {
	return &stream{sequence: uint64(day(0).UnixMicro()), clock: func() time.Time { return time.Now().UTC() }}
}

func (st *stream) last(name string) uint64 {
	for i := range st.messages {
		if st.messages[i].Name == name {
			return st.messages[i].Sequence
		}
	}
	return 0
}

func (st *stream) take(w record.Write) error {
	if last := st.last(w.Name); last != w.Expect {
		return &record.Conflict{Name: w.Name, Sequence: last}
	}
	st.sequence++
	st.messages = slices.DeleteFunc(st.messages, func(m record.Message) bool { return m.Name == w.Name })
	st.messages = append(st.messages, record.Message{Name: w.Name, Data: bytes.Clone(w.Data), Sequence: st.sequence, Time: st.clock()})
	return nil
}

// host is a store that follows a stream.
type host struct {
	*store.Store
	stream *stream
	before func() // runs before what it writes is published
}

func (h *host) Publish(writes []record.Write) (last uint64, err error) {
	if h.before != nil {
		before := h.before
		h.before = nil
		before()
	}
	var conflict error
	for _, w := range writes {
		if err := h.stream.take(w); err != nil {
			conflict = errors.Join(conflict, err)
			continue
		}
		last = h.stream.sequence
	}
	h.follow(1 << 30)
	return last, conflict
}

// follow applies what is new, so many messages in a transaction.
func (h *host) follow(size int) {
	later := slices.DeleteFunc(slices.Clone(h.stream.messages), func(m record.Message) bool { return m.Sequence <= h.Applied() })
	for batch := range slices.Chunk(later, size) {
		if err := h.Apply(batch); err != nil {
			panic(err)
		}
	}
}

const streamID = "the stream"

func newHost(t testing.TB, st *stream) *host {
	t.Helper()
	h := &host{Store: open(t, dbPath(t), store.Options{Replica: true}), stream: st}
	must(t, h.Begin(streamID, uint64(day(0).UnixMicro())))
	h.Join(h)
	return h
}

// twoHosts returns two hosts of a stream that both have the package x, which was never fetched.
func twoHosts(t testing.TB) (st *stream, a, b *host, x record.Package) {
	t.Helper()
	st = newStream()
	a, b = newHost(t, st), newHost(t, st)
	sync(t, a.Store, entries("x"), day(1))
	b.follow(10)
	return st, a, b, get(t, a.Store, "x")
}

// seen is all that readers see of a store.
func seen(t testing.TB, s *store.Store) map[string]any {
	t.Helper()
	all := map[string]any{"sequence": s.Sequence(), "changed": s.Changed()}
	changes, next, more, err := s.Changes(0, 1<<30)
	must(t, err)
	all["feed"], all["next"], all["more"] = changes, next, more
	_, _, err = s.EachServed(func(p store.Served) error {
		all[fmt.Sprint("served ", p.ID)] = []any{p.Sequence, p.Changed, string(p.Body)}
		rec, err := s.Package(p.ID)
		must(t, err)
		all[fmt.Sprint("package ", p.ID)] = rec
		return nil
	})
	must(t, err)
	for i, part := range []func() (any, error){
		func() (any, error) { a, _, err := s.Categories(0, 1000); return a, err },
		func() (any, error) { a, _, err := s.Grids(0, 1000); return a, err },
		func() (any, error) { a, b, err := s.IDs(); return []any{a, b}, err },
		func() (any, error) { return s.Summary(day(1000), nil, 1000) },
		func() (any, error) { return s.GridPackages(1) },
		func() (any, error) {
			due, more, err := s.Due(day(100_000), 1000, record.Order{})
			return []any{due, more}, err
		},
	} {
		value, err := part()
		must(t, err)
		all[fmt.Sprint("part ", i)] = value
	}
	for _, slug := range []string{"a", "b", "c", "d", "e", "f"} {
		p, err := s.PackageBySlug(slug)
		all["slug "+slug] = []any{p.ID, fmt.Sprint(err)}
	}
	state, err := s.Replica()
	must(t, err)
	all["replica"] = []any{state.Applied, state.Count, state.Digest}
	return all
}

func good(t testing.TB, s *store.Store) {
	t.Helper()
	must(t, s.Close())
	report, err := store.CheckFile(s.Path(), store.Options{})
	must(t, err)
	if len(report.Findings) > 0 {
		t.Errorf("check finds %q", report.Findings)
	}
}

// Whatever hosts write, in whatever order, from whatever state, with whatever clocks: all of
// them show the same in the end, and so does one that joins then.
func TestReplicasAgree(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 5
	}
	for seed := range rounds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(seed), 10))
			st := newStream()
			now := day(1)
			st.clock = func() time.Time { return now.Add(time.Duration(r.IntN(7200)-3600) * time.Second) } // the leader's, and leaders change
			hosts := []*host{newHost(t, st), newHost(t, st), newHost(t, st)}
			slugs := []string{"a", "b", "c", "d", "e", "f"}
			for range 60 {
				now = now.Add(time.Duration(r.IntN(3600)) * time.Second)
				h := hosts[r.IntN(3)]
				if r.IntN(3) == 0 {
					other := hosts[r.IntN(3)]
					h.before = func() { // somebody is faster
						if other != h {
							write(t, r, other, slugs, now)
						}
					}
				}
				write(t, r, h, slugs, now)
				hosts[r.IntN(3)].follow(1 + r.IntN(5))
			}
			newcomer := newHost(t, st)
			newcomer.follow(1 + r.IntN(10))
			want := seen(t, newcomer.Store)
			for i, h := range hosts {
				h.before = nil
				h.follow(3)
				if diff := cmp.Diff(want, seen(t, h.Store)); diff != "" {
					t.Fatalf("host %d shows otherwise than one that joins now (-newcomer +host):\n%s", i, diff)
				}
				good(t, h.Store)
			}
			good(t, newcomer.Store)
		})
	}
}

// write has a host write something.
func write(t testing.TB, r *rand.Rand, h *host, slugs []string, now time.Time) {
	t.Helper()
	if r.IntN(4) == 0 {
		var declared []int // slugs go from one id to another
		if r.IntN(2) == 0 {
			declared = r.Perm(len(slugs) + 2)[2:]
			for i := range declared {
				declared[i]++
			}
		}
		c := record.Catalogue{Categories: []record.Category{{ID: 1 + r.IntN(2), Slug: "c", Title: "C"}}, Grids: []record.Grid{{ID: 1, Slug: "g", Title: fmt.Sprint("G", r.IntN(2))}}}
		for i, slug := range slugs {
			if r.IntN(3) == 0 {
				continue
			}
			e := entry(slug)
			e.Title = fmt.Sprint(slug, r.IntN(3))
			if declared != nil {
				e.ID = declared[i]
			}
			switch r.IntN(5) {
			case 0:
				e.RepoURL = new("https://github.com/o/shared")
			case 1:
				e.RepoURL = nil
			case 2:
				e.Grids = []int{1}
			case 3:
				e.StaleAfter = time.Duration(1+r.IntN(3)) * time.Hour
			}
			c.Packages = append(c.Packages, e)
		}
		if _, err := h.SyncCatalogue(c, now); !errors.Is(err, store.ErrContradiction) { // with ids that were given to others
			must(t, err)
		}
		return
	}
	var learnt []record.Source
	for _, slug := range slugs {
		if r.IntN(2) == 0 {
			continue
		}
		sources, err := h.Sources(slug)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		must(t, err)
		for _, s := range sources {
			if slices.ContainsFunc(learnt, func(l record.Source) bool { return l.Key == s.Key }) {
				continue
			}
			s.LastAttempt, s.NextDue = now, now.Add(time.Hour)
			switch r.IntN(5) {
			case 0:
				s.State = record.StateFailed
			case 1:
				s.State = record.StateGone
			default:
				s.State, s.LastSuccess = record.StateOK, now
				if _, project := s.Key.Project(); project {
					s.Project = &record.Project{Version: new(fmt.Sprint("1.", r.IntN(3)))}
				} else {
					s.Repo = &record.Repo{Name: "o/r", Stars: r.IntN(3)}
				}
			}
			learnt = append(learnt, s)
		}
	}
	must(t, h.Put(learnt))
}

// A change that only the state knows of moves no package in the feed, and what a second host
// learnt in the meantime is not undone.
func TestReplicaConflict(t *testing.T) {
	st, a, b, x := twoHosts(t)
	later := fetched(x, 7, day(3), day(4))
	a.before = func() { put(t, b.Store, later) }
	put(t, a.Store, fetched(x, 5, day(2), day(3))) // an older answer, which arrives after the newer one
	b.follow(10)
	for _, h := range []*host{a, b} {
		if got := get(t, h.Store, "x"); got.Repo.Stars != 7 || !got.GitHub.LastSuccess.Equal(day(3)) {
			t.Errorf("%d stars of %s, want the later answer", got.Repo.Stars, got.GitHub.LastSuccess)
		}
	}
	before := a.Sequence()
	failed := later
	failed.GitHub.State, failed.GitHub.LastAttempt = record.StateFailed, day(5)
	put(t, a.Store, failed)
	if st.sequence == before || a.Sequence() != before {
		t.Errorf("the feed has moved from %d to %d, and nothing served has changed", before, a.Sequence())
	}
}

// What a sync changes of a source, and what another host learns of it meanwhile, are both kept.
func TestReplicaSyncConflict(t *testing.T) {
	_, a, b, x := twoHosts(t)
	a.before = func() {
		a.before = func() { put(t, b.Store, fetched(x, 7, day(2), day(3))) } // not while categories are synced
	}
	c := entries("x")
	c.Packages[0].StaleAfter = time.Hour
	c.Categories = []record.Category{{ID: 1, Slug: "c", Title: "C"}}
	sync(t, a.Store, c, day(3))
	source, err := a.Source(x.RepoKey)
	must(t, err)
	if source.Interval.Shortest != time.Hour || source.Repo.Stars != 7 {
		t.Errorf("the source is fetched again after %s, and has %d stars", source.Interval.Shortest, source.Repo.Stars)
	}
}

// A tardy host gets what it has published a little later.
type tardy struct {
	*host
	published int
}

func (h *tardy) Publish(writes []record.Write) (last uint64, err error) {
	h.published++
	for _, w := range writes {
		if taken := h.stream.take(w); taken != nil {
			err = errors.Join(err, taken)
			continue
		}
		last = h.stream.sequence
	}
	time.AfterFunc(20*time.Millisecond, func() { h.follow(10) })
	return last, err
}

// After a conflict, nothing is computed again before the other host's write is there.
func TestReplicaWaitsForConflict(t *testing.T) {
	_, a, b, x := twoHosts(t)
	put(t, b.Store, fetched(x, 7, day(2), day(3)))
	late := &tardy{host: a}
	a.Join(late)
	put(t, a.Store, fetched(x, 8, day(3), day(4)))
	if got := get(t, a.Store, "x"); got.Repo.Stars != 8 || late.published != 2 {
		t.Errorf("%d stars, published %d times", got.Repo.Stars, late.published)
	}
}

// A message that is applied again, after a later one of its name, changes nothing.
func TestReplicaAppliesOnce(t *testing.T) {
	st := newStream()
	a := newHost(t, st)
	sync(t, a.Store, entries("x"), day(1))
	before := slices.Clone(st.messages)
	put(t, a.Store, fetched(get(t, a.Store, "x"), 7, day(2), day(3)))
	want := seen(t, a.Store)
	must(t, a.Apply(before))
	if diff := cmp.Diff(want, seen(t, a.Store)); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}

// What a sync changes of sources follows from what it changes of packages: where somebody is
// faster with the sources, none of it is taken, and all of it the next time.
func TestReplicaIntervalAfterConflict(t *testing.T) {
	st := newStream()
	a, b := newHost(t, st), newHost(t, st)
	c := entries("x")
	c.Packages[0].StaleAfter = 2 * time.Hour
	sync(t, a.Store, c, day(1))
	b.follow(10)
	a.before = func() { put(t, b.Store, fetched(get(t, b.Store, "x"), 7, day(2), day(3))) }
	c.Packages[0].StaleAfter = time.Hour
	sync(t, a.Store, c, day(2))
	sources, err := a.Sources("x")
	must(t, err)
	for _, source := range sources {
		if !source.Interval.Covers(time.Hour) || !source.LastSuccess.Equal(day(2)) {
			t.Errorf("%s is fetched every %v, after a success at %s", source.Key, source.Interval, source.LastSuccess)
		}
	}
}

// Without its stream, a replica takes no record and loses none.
func TestReplicaAlone(t *testing.T) {
	h := &host{Store: open(t, dbPath(t), store.Options{Replica: true}), stream: newStream()}
	must(t, h.Begin(streamID, 1))
	if _, err := h.SyncCatalogue(entries("x"), day(1)); !errors.Is(err, store.ErrNoPublisher) {
		t.Errorf("a sync without the stream: %v", err)
	}
}

// The first host publishes the store that it has; the others, and itself, show what it showed.
// Without the section, each is a complete store that goes on by itself.
func TestReplicaFromStoreAndBack(t *testing.T) {
	alone := open(t, dbPath(t), store.Options{})
	c := entries("a", "b", "gone")
	c.Grids = []record.Grid{{ID: 1, Slug: "g", Title: "G"}}
	sync(t, alone, c, day(1))
	put(t, alone, fetched(get(t, alone, "a"), 5, day(2), day(3)), fetched(get(t, alone, "gone"), 6, day(2), day(3)))
	c.Packages = c.Packages[:2]
	sync(t, alone, c, day(3))
	want := map[string]record.Package{"a": get(t, alone, "a"), "b": get(t, alone, "b")}
	bodies := servedOf(t, alone)
	must(t, alone.Close())

	st := newStream()
	first := &host{Store: open(t, alone.Path(), store.Options{Replica: true}), stream: st}
	must(t, first.Export(func(writes []record.Write) error {
		for _, w := range writes {
			must(t, st.take(w))
		}
		return nil
	}))
	kept := filepath.Join(t.TempDir(), "kept.db")
	must(t, first.Rebuild(func(next *store.Store) error {
		must(t, next.Begin(streamID, uint64(day(0).UnixMicro())))
		return next.Apply(st.messages)
	}, kept))
	first.Join(first)
	second := newHost(t, st)
	second.follow(2)
	for _, s := range []*store.Store{first.Store, second.Store} {
		if diff := cmp.Diff(bodies, servedOf(t, s)); diff != "" {
			t.Errorf("served otherwise than before (-before +now):\n%s", diff)
		}
		for slug, p := range want {
			if diff := cmp.Diff(p, get(t, s, slug)); diff != "" {
				t.Errorf("%s (-before +now):\n%s", slug, diff)
			}
		}
	}
	if diff := cmp.Diff(seen(t, first.Store), seen(t, second.Store)); diff != "" {
		t.Errorf("the first and the second differ:\n%s", diff)
	}
	back := entries("a", "b", "gone")
	sync(t, second.Store, back, day(4))
	if p := get(t, second.Store, "gone"); p.ID != 3 || p.Repo.Stars != 6 {
		t.Errorf("it came back with the id %d and %d stars, not with its own", p.ID, p.Repo.Stars)
	}

	left := second.Sequence()
	must(t, second.Close())
	closed := uint64(time.Now().UnixMicro())
	again := open(t, second.Path(), store.Options{})
	if n := again.Sequence(); n < closed {
		t.Errorf("alone again, its feed goes on at %d, where the stream may come to", n)
	}
	if _, _, _, err := again.Changes(left, 10); err != nil {
		t.Errorf("a reader of the stream's feed cannot go on: %v", err)
	}
	sync(t, again, entries("a", "new"), day(5))
	put(t, again, fetched(get(t, again, "a"), 9, day(6), day(7)))
	if p := get(t, again, "new"); p.ID != 4 {
		t.Errorf("alone again, the next id is %d, not 4", p.ID)
	}
	if state, err := again.Replica(); err != nil || state.Stream != "" {
		t.Errorf("alone again, it follows %q, %v", state.Stream, err)
	}
	good(t, again)
	must(t, func() error { _, err := store.CheckFile(kept, store.Options{}); return err }())
}

func servedOf(t testing.TB, s *store.Store) map[int]string {
	t.Helper()
	bodies := map[int]string{}
	_, _, err := s.EachServed(func(p store.Served) error { bodies[p.ID] = string(p.Body); return nil })
	must(t, err)
	return bodies
}

// A message of a later version stops the follower, which says what to do; nothing of it is
// taken over.
func TestReplicaNewerMessage(t *testing.T) {
	h := newHost(t, newStream())
	before := h.Applied()
	err := h.Apply([]record.Message{{Name: "entry/1", Data: []byte(`{"v":2,"value":{"id":1}}`), Sequence: 1 << 60}})
	if !errors.Is(err, store.ErrNewerMessage) || h.Applied() != before {
		t.Errorf("applied up to %d: %v", h.Applied(), err)
	}
}

// Bad messages are errors, and change nothing.
func FuzzApply(f *testing.F) {
	f.Add("entry/1", []byte(`{"v":1,"value":{"id":1,"slug":"x"}}`))
	f.Add("entry/1", []byte(`{"v":1,"gone":true,"value":{"id":1,"slug":"x"}}`))
	f.Add("source/pypi:x", []byte(`{"v":1,"value":{"key":"pypi:x"}}`))
	f.Add("grid/-1", []byte(`{"v":1,"gone":true}`))
	f.Add("meta/origin", []byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		h := newHost(t, newStream())
		if err := h.Apply([]record.Message{{Name: name, Data: data, Sequence: 1 << 60, Time: day(1)}}); err != nil && h.Applied() != 0 {
			t.Errorf("applied %d of what failed: %v", h.Applied(), err)
		}
		good(t, h.Store)
	})
}

// TestExportOfADamagedStore: what cannot be published is left out, and the catalogue is synced
// again by who goes on with the store.
func TestExportOfADamagedStore(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	c := entries("a", "b")
	c.Digest = []byte("digest")
	sync(t, s, c, t0)
	count := func() (packages int) {
		t.Helper()
		must(t, s.Export(func(writes []record.Write) error {
			for _, w := range writes {
				if strings.HasPrefix(w.Name, "entry/") {
					packages++
				}
			}
			return nil
		}))
		return packages
	}
	if n := count(); n != 2 || string(s.CatalogueDigest()) != "digest" {
		t.Fatalf("%d packages, digest %q", n, s.CatalogueDigest())
	}
	s = flip(t, s, "packages", 2)
	if n := count(); n != 1 || s.CatalogueDigest() != nil || !s.Damaged() {
		t.Errorf("%d packages, digest %q, damaged %v", n, s.CatalogueDigest(), s.Damaged())
	}
}
