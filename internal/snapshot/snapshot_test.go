package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// fakeStore is a Store in memory, which counts how often it is read.
type fakeStore struct {
	mu       sync.Mutex
	sequence uint64
	wake     chan struct{}
	packages []record.Package
	reads    int
	err      error // what EachServed fails with, at its end

	ended []error // what Run has told of its attempts
}

func (s *fakeStore) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = append(s.ended, err)
}

// changed is when anything in a fakeStore last changed.
var changed = time.Date(2026, 2, 16, 1, 2, 3, 456789000, time.UTC)

func newStore(n int) *fakeStore {
	s := &fakeStore{sequence: 100, wake: make(chan struct{})}
	for id := range n {
		s.packages = append(s.packages, record.Package{Entry: record.Entry{ID: id + 1, Slug: "p", Title: "P", Category: 3}})
	}
	return s
}

func (s *fakeStore) EachServed(use func(store.Served) error) (uint64, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	template := render.Rendering{}.Template()
	for _, p := range s.packages {
		if err := use(store.Served{ID: p.ID, Body: template(&p)}); err != nil {
			return 0, changed, err
		}
	}
	return s.sequence, changed, s.err
}

func (s *fakeStore) Sequence() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sequence
}

func (s *fakeStore) Wait(ctx context.Context, since uint64) error {
	for {
		s.mu.Lock()
		sequence, wake := s.sequence, s.wake
		s.mu.Unlock()
		if sequence > since {
			return nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// timesRead says how often it has been read.
func (s *fakeStore) timesRead() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// change is a write of something served; fail says what reading fails with from now on.
func (s *fakeStore) change() { s.fail(nil) }

func (s *fakeStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.sequence++
	close(s.wake)
	s.wake = make(chan struct{})
}

// goBack has the store begin anew at an earlier sequence, as one does that is built anew from
// what several hosts share.
func (s *fakeStore) goBack(sequence uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sequence = sequence
}

func follow(t testing.TB, dir string, s Store) *Follower {
	t.Helper()
	f, err := New(dir, s, render.Rendering{Base: "https://host/"}, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read returns what a reader of one form gets.
func read(t testing.TB, f *Follower, coding string) (string, Info) {
	t.Helper()
	file, info, err := f.Open(coding)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var r io.Reader = file
	if coding == "zstd" {
		z, err := zstd.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content), info
}

func TestNewNeedsABase(t *testing.T) {
	for _, base := range []string{"host", "https://user:secret@host"} {
		if _, err := New(t.TempDir(), newStore(0), render.Rendering{Base: base}, zerolog.Nop()); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// TestRestart: a restart goes on with what is there and tidies up the rest; what
// is of another rendering, or of a later sequence, is not served.
func TestRestart(t *testing.T) {
	s, dir := newStore(3), filepath.Join(t.TempDir(), "snapshots")
	first := follow(t, dir, s)
	if _, _, err := first.Open(""); !errors.Is(err, ErrNone) {
		t.Errorf("before the first: %v", err)
	}
	if err := first.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, info := read(t, first, "")
	if strings.Count(want, "\n") != 3 || strings.Count(want, `"https://host/api/v4/categories/3/"`) != 3 || int64(len(want)) != info.Size {
		t.Errorf("%+v:\n%s", info, want)
	}
	for _, junk := range []string{unfinished, unfinished + ".gz", "packages-1-x.ndjson", "packages-99999999999999999-" + first.kind + ".ndjson", "packages-x-" + first.kind + ".ndjson"} {
		if err := os.WriteFile(filepath.Join(dir, junk), []byte("junk"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second := follow(t, dir, s)
	for _, coding := range []string{"", "zstd"} {
		got, again := read(t, second, coding)
		if got != want || again.Name != info.Name || !again.Changed.Equal(changed) || again.Size != info.Size {
			t.Errorf("after a restart %+v, before it %+v; %q:\n%s", again, info, coding, got)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != len(Codings()) {
		t.Errorf("the folder holds %v", files)
	}

	other, err := New(dir, s, render.Rendering{Zone: time.FixedZone("other", 60), Base: "https://host"}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Open(""); !errors.Is(err, ErrNone) {
		t.Errorf("of another rendering: %v", err)
	}
}

// TestRestartAfterMigration: a snapshot that the program of schema 2 made is served
// under the name that it had there.
func TestRestartAfterMigration(t *testing.T) {
	packed, err := os.Open("../../store/testdata/schema2.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unzip, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(unzip)
	if err != nil {
		t.Fatal(err)
	}
	path, dir := filepath.Join(t.TempDir(), "store.db"), t.TempDir()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	rendering := render.Rendering{Zone: berlin, Base: "https://packages.example.org"}
	s, err := store.Open(path, store.Options{Render: render.New, Rendering: rendering.Name(), Rerender: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	name := fmt.Sprintf("%d-e967a004277f0dd7", s.Sequence())
	for _, c := range codings {
		if err := os.WriteFile(filepath.Join(dir, stem+name+extension+c.suffix), []byte("as it was"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := New(dir, s, rendering, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, info := read(t, f, ""); got != "as it was" || info.Name != name {
		t.Errorf("served is %q, not the snapshot %q", info.Name, name)
	}
}

// TestMakeFails: a snapshot that cannot be made leaves the old one, and nothing else.
func TestMakeFails(t *testing.T) {
	s, dir := newStore(3), t.TempDir()
	f := follow(t, dir, s)
	if err := f.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, info := read(t, f, "")
	s.packages = append(s.packages, record.Package{Entry: record.Entry{ID: 4}})
	s.fail(errors.New("page 17 is garbage"))
	if err := f.Make(t.Context()); err == nil || !strings.Contains(err.Error(), "page 17") || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
	if after, now := read(t, f, ""); after != before || now != info {
		t.Errorf("after a failure %+v, before it %+v", now, info)
	}
	if files, _ := os.ReadDir(dir); len(files) != len(Codings()) {
		t.Errorf("the folder holds %v", files)
	}
}

// run runs a Follower of a store with one package in a bubble. latest returns, once nothing moves any more,
// the sequence of the snapshot, 0 for none.
func run(t *testing.T, test func(s *fakeStore, f *Follower, latest func() uint64)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(1)
		f := follow(t, dir, s)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx, s.end) })
		test(s, f, func() uint64 {
			synctest.Wait()
			info, _ := f.Latest()
			return info.Sequence
		})
		cancel()
		running.Wait()
	})
}

// TestFollows: a snapshot is made at once where there is none, and then as soon as
// the store stands still after a change.
func TestFollows(t *testing.T) {
	run(t, func(s *fakeStore, f *Follower, latest func() uint64) {
		if latest() != 100 {
			t.Error("none was made at the start")
		}
		time.Sleep(time.Hour)
		if s.timesRead() != 1 {
			t.Errorf("%d snapshots of one state", s.timesRead())
		}
		for range 3 { // a short burst
			s.change()
			time.Sleep(stillness / 2)
		}
		if got := latest(); got != 100 {
			t.Errorf("one of %d was made while the store was changing", got)
		}
		time.Sleep(stillness)
		if got := latest(); got != 103 || s.timesRead() != 2 {
			t.Errorf("after the store stood still the snapshot is of %d, the store of 103; %d were made", got, s.timesRead())
		}
	})
}

// TestFollowsABusyStore: one that never stands still has a snapshot all the same.
func TestFollowsABusyStore(t *testing.T) {
	run(t, func(s *fakeStore, f *Follower, latest func() uint64) {
		latest()
		var made []time.Duration
		began, last := time.Now(), uint64(100)
		for time.Since(began) < 3*longestWait {
			s.change()
			time.Sleep(stillness / 2)
			if n := latest(); n != last {
				made, last = append(made, time.Since(began)), n
			}
		}
		if len(made) < 2 || len(made) > 3 || made[0] < longestWait || made[0] > longestWait+time.Second {
			t.Errorf("snapshots were made after %v; want one after each %v", made, longestWait)
		}
	})
}

// TestRetries: after a failure it is tried again in a minute, not at once, and whoever
// runs it is told of both.
func TestRetries(t *testing.T) {
	run(t, func(s *fakeStore, f *Follower, latest func() uint64) {
		latest()
		s.fail(errors.New("the disk is full"))
		time.Sleep(2 * stillness)
		s.fail(nil)
		time.Sleep(retryAfter - 5*time.Second)
		if got := latest(); got != 100 || s.timesRead() != 2 {
			t.Errorf("tried %d times within a minute, the snapshot is of %d", s.timesRead(), got)
		}
		time.Sleep(10 * time.Second)
		if got := latest(); got != 102 {
			t.Errorf("a minute after the failure the snapshot is of %d", got)
		}
		if len(s.ended) != 3 || s.ended[0] != nil || s.ended[1] == nil || s.ended[2] != nil {
			t.Errorf("told of %v", s.ended)
		}
	})
}

// slowStore takes a second of the bubble's time to be read.
type slowStore struct{ *fakeStore }

func (s slowStore) EachServed(use func(store.Served) error) (uint64, time.Time, error) {
	time.Sleep(time.Second)
	return s.fakeStore.EachServed(use)
}

// TestRests: no more than a tenth of the time goes into making snapshots.
func TestRests(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(1)
		f := follow(t, dir, slowStore{s})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var running sync.WaitGroup
		running.Go(func() { f.Run(ctx, func(error) {}) })
		for ctx.Err() == nil { // a store that stands still for just long enough
			s.change()
			time.Sleep(stillness + time.Millisecond)
		}
		running.Wait()
		if s.timesRead() < 200 || s.timesRead() > 360 {
			t.Errorf("%d snapshots of a second each in an hour", s.timesRead())
		}
	})
}

// TestStoppedWhileMaking: that is no failure.
func TestStoppedWhileMaking(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, dir, slowStore{newStore(1)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		f.Run(ctx, func(err error) { t.Errorf("it is told: %v", err) })
		if _, made := f.Latest(); made {
			t.Error("it was made")
		}
	})
}

// TestFileTakenAway: where a reader finds that somebody removed a file, the
// snapshot is made again without waiting for the store to change.
func TestFileTakenAway(t *testing.T) {
	run(t, func(s *fakeStore, f *Follower, latest func() uint64) {
		latest()
		info, _ := f.Latest()
		if err := os.Remove(f.path(&info, codings[0])); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Open("zstd"); err == nil {
			t.Error("a file that is gone was opened")
		}
		if got := latest(); got != 100 {
			t.Errorf("the snapshot was not made again: it is of %d", got)
		}
		if got, _ := read(t, f, "zstd"); got == "" {
			t.Error("the snapshot that was made again is empty")
		}
	})
}

func TestCodings(t *testing.T) {
	if got := Codings(); !slices.Equal(got, []string{"zstd", "gzip", ""}) {
		t.Errorf("codings %q", got)
	}
}

// TestStoreBuiltAnew: a snapshot of a store that is now behind it, as it was built anew
// between two looks at it, is replaced without waiting for the store to come so far again.
func TestStoreBuiltAnew(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newStore(1)
		f := follow(t, dir, s)
		if err := f.Make(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.goBack(50)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		f.Run(ctx, s.end)
		if info, _ := f.Latest(); info.Sequence != 50 {
			t.Errorf("the snapshot is of %d", info.Sequence)
		}
	})
}

// TestStoreBuiltAnewInPlace: a store that was built anew may be at the sequence that it was at,
// and have something else there.
func TestStoreBuiltAnewInPlace(t *testing.T) {
	run(t, func(s *fakeStore, f *Follower, latest func() uint64) {
		latest()
		s.mu.Lock()
		s.packages[0].Slug = "other"
		s.mu.Unlock()
		f.Renew()
		time.Sleep(time.Minute)
		if got := latest(); got != 100 {
			t.Fatalf("the snapshot is of %d", got)
		}
		if text, _ := read(t, f, ""); !strings.Contains(text, `"slug":"other"`) {
			t.Errorf("it still has %s", text)
		}
		reads := s.timesRead()
		time.Sleep(time.Hour)
		if s.timesRead() != reads {
			t.Error("it is made again and again")
		}
	})
}
