//go:build unix

package search

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

var benchPackages = flag.Int("packages", 5000, "packages in the benchmarks' index")

// A generatedSource has n packages, made up when they are asked for: words as
// frequent as in a natural language, most titles with a prefix in common, and
// stars that few have many of.
type generatedSource struct {
	n       int
	changes atomic.Int64  // so many there were: the first n are of the packages by id, and so on, round after round
	starred atomic.Int64  // so many of a hundred packages have other stars in each round
	idle    chan struct{} // received from when the follower has nothing left to do
	wake    chan struct{} // sent to when there are changes again
	peak    atomic.Uint64 // bytes of heap that were in use at once
}

func newGeneratedSource(n int) *generatedSource {
	s := &generatedSource{n: n, idle: make(chan struct{}), wake: make(chan struct{})}
	s.changes.Store(int64(n))
	return s
}

// change makes changes, and returns when they have been followed.
func (s *generatedSource) change(changes int) {
	s.changes.Add(int64(changes))
	s.wake <- struct{}{}
	<-s.idle
}

func (s *generatedSource) Changes(since uint64, limit int) (changes []store.Change, next uint64, more bool, err error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.peak.Store(max(s.peak.Load(), m.HeapInuse))
	sequence := int(s.changes.Load())
	for i := max(int(since), sequence-s.n) + 1; i <= sequence && len(changes) < limit; i++ {
		changes = append(changes, store.Change{ID: (i-1)%s.n + 1, Sequence: uint64(i)})
	}
	if len(changes) > 0 {
		since = changes[len(changes)-1].Sequence
	}
	return changes, since, int(since) < sequence, nil
}

func (s *generatedSource) Wait(ctx context.Context, since uint64) error {
	select {
	case s.idle <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.wake:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (s *generatedSource) Categories(offset, limit int) ([]record.Category, int, error) {
	return []record.Category{{ID: 1, Title: "Apps"}, {ID: 2, Title: "Frameworks"}}, 2, nil
}

func (s *generatedSource) Grids(offset, limit int) ([]record.Grid, int, error) { return nil, 0, nil }

func (s *generatedSource) Package(id int) (record.Package, error) {
	r := rand.New(rand.NewPCG(uint64(id), 1))
	zipf := rand.NewZipf(r, 1.1, 4, 60_000)
	name := ""
	if r.IntN(10) < 6 {
		name = "django-"
	}
	for range 1 + r.IntN(2) {
		name += generatedWord(zipf.Uint64()) + "-"
	}
	name += generatedWord(uint64(100_000 + r.IntN(5*s.n))) // a word of its own
	text := []string{"A", "package", "for", "the"}
	for range 4 + r.IntN(8) {
		text = append(text, generatedWord(zipf.Uint64()))
	}
	rec := pkg(id, name, strings.Join(text, " "), int(math.Pow(r.Float64(), 8)*80_000))
	rec.Category = 1 + r.IntN(2)
	if int64(id%100) < s.starred.Load() {
		rec.Repo.Stars += int(s.changes.Load()) / s.n
	}
	for range r.IntN(16) {
		rec.Repo.Participants = append(rec.Repo.Participants, generatedWord(uint64(r.IntN(2*s.n)))+fmt.Sprint(r.IntN(100)))
	}
	return rec, nil
}

func generatedWord(n uint64) string {
	const consonants, vowels = "bcdfgjklmnprstvwz", "aeiou"
	var b strings.Builder
	n += 85 // two syllables at least
	for ; n > 0; n /= 85 {
		b.WriteByte(consonants[n%17])
		b.WriteByte(vowels[n/17%5])
	}
	return b.String()
}

// go test ./internal/search -run=^$ -bench=. -benchtime=20x -packages=200000
func BenchmarkIndex(b *testing.B) {
	source := newGeneratedSource(*benchPackages)
	dir := filepath.Join(b.TempDir(), "search")
	began := time.Now()
	x := open(b, dir, source)
	stop := run(b, x)
	<-source.idle
	rate := float64(source.n) / time.Since(began).Seconds()
	stop()
	x.Close()
	b.Run("build", func(b *testing.B) {
		b.ReportMetric(rate, "packages/s")
		b.ReportMetric(float64(source.peak.Load())/1e6, "MB-heap-peak")
		b.ReportMetric(float64(folderSize(b, dir))/1e6, "MB-disk")
	})
	base := heap()
	x = must(Open(dir, source, zerolog.Nop()))
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			x.Close()
			x = must(Open(dir, source, zerolog.Nop()))
		}
		b.ReportMetric(float64(heap()-base)/1e6, "MB-heap")
	})
	b.Cleanup(func() { x.Close() })
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := x.verify(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, q := range []struct{ name, query string }{
		{"letter", "d"}, {"rare_letter", "z"}, {"three_letters", "bac"}, {"beginning", "baca"}, {"beginning_all", "djan"},
		{"everywhere", "django"}, {"common", generatedWord(3)}, {"rare", generatedWord(40_000)},
		{"three", "django " + generatedWord(3) + " " + generatedWord(20)}, {"three_rare", generatedWord(300) + " " + generatedWord(2000) + " " + generatedWord(20_000)},
		{"typo", "djagno"}, {"typo_rare", "x" + generatedWord(40_000)[1:]}, {"nothing", "xxxyyyzzz"},
		{"ten_letters", "a b c d e f g h j k"}, {"ten_words", must(source.Package(7)).Repo.Description},
	} {
		b.Run(q.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = len(must(x.Search(b.Context(), q.query, 20)))
			}
			b.ReportMetric(float64(n), "hits")
		})
	}
	b.Run("searched", func(b *testing.B) {
		b.ReportMetric(float64(heap()-base)/1e6, "MB-heap")
	})
}

// BenchmarkFollow is what it takes to follow the refreshes of all packages: one
// a round.
func BenchmarkFollow(b *testing.B) {
	source := newGeneratedSource(*benchPackages)
	x := open(b, filepath.Join(b.TempDir(), "search"), source)
	run(b, x)
	<-source.idle
	for _, c := range []struct {
		name           string
		starred, count int
	}{
		{"all changed, at once", 100, source.n},
		{"all changed, by 20", 100, 20},
		{"5 of 100 changed, at once", 5, source.n},
		{"none changed, at once", 0, source.n},
		{"none changed, by 20", 0, 20},
	} {
		b.Run(c.name, func(b *testing.B) {
			source.starred.Store(int64(c.starred))
			source.change(source.n) // those that were starred before are not any more
			began := cpuTime(b)
			for b.Loop() {
				for left := source.n; left > 0; left -= c.count {
					source.change(min(left, c.count))
				}
			}
			b.ReportMetric((cpuTime(b)-began).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

// cpuTime returns what this process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func folderSize(b *testing.B, dir string) (bytes int64) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return bytes
}
