package store_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// filled is a store of n packages that were all fetched.
func filled(b *testing.B, n int) (*store.Store, []record.Package) {
	b.Helper()
	s := open(b, dbPath(b), store.Options{})
	var c record.Catalogue
	for i := range n {
		c.Packages = append(c.Packages, entry(fmt.Sprint("package-", i)))
	}
	sync(b, s, c, t0)
	recs, _, err := s.Packages(0, n)
	must(b, err)
	for i := range recs {
		rec := fetched(recs[i], i, day(1), day(2))
		rec.Repo.Commits52 = make([]int, 52)
		for range 30 {
			rec.Repo.Participants = append(rec.Repo.Participants, "participant")
			rec.Project.Versions = append(rec.Project.Versions, record.Version{Version: "1.2.3", Uploaded: &t0})
		}
		recs[i] = rec
	}
	put(b, s, recs...)
	return s, recs
}

func BenchmarkPut256(b *testing.B) {
	s, recs := filled(b, 5500)
	recs = recs[:256]
	stars := 10_000
	for b.Loop() {
		stars++
		for i := range recs {
			recs[i].Repo.Stars = stars
		}
		must(b, s.Put(sourcesOf(recs...)))
	}
	b.ReportMetric(float64(256*b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkPackage(b *testing.B) {
	s, _ := filled(b, 5500)
	for b.Loop() {
		if _, err := s.Package(2750); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDue5500(b *testing.B) {
	s, _ := filled(b, 5500)
	for b.Loop() {
		if recs, _, err := s.Due(day(3), 5500, record.Order{}); err != nil || len(recs) != 5500 {
			b.Fatal(len(recs), err)
		}
	}
}

// BenchmarkListRead reads what lists are sorted by, as the first reader after a start or a
// sync waits for, and tells what it takes in memory.
func BenchmarkListRead(b *testing.B) {
	const packages = 5500
	s, recs := filled(b, packages)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what pools hold survives one
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	if _, err := s.List(record.ListQuery{}); err != nil {
		b.Fatal(err)
	}
	taken := heap() - before
	runtime.KeepAlive(recs)
	for b.Loop() {
		s.ForgetLists()
		if found, err := s.List(record.ListQuery{Sort: record.ByStars, Limit: 20}); err != nil || len(found.IDs) != 20 {
			b.Fatal(found, err)
		}
	}
	b.ReportMetric(float64(taken)/packages, "B/package")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/packages, "ns/package")
}

// BenchmarkList answers for a list that has been read.
func BenchmarkList(b *testing.B) {
	s, _ := filled(b, 5500)
	for b.Loop() {
		if _, err := s.List(record.ListQuery{Sort: record.ByStars, Descending: true, Limit: 20}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkApply has a replica that is built anew take over packages of 4 KB, each a message
// and two more of its sources, in batches of 500 as a stream delivers them. What they are
// rendered into, and the feed and the times they are due at, are written as ever.
func BenchmarkApply(b *testing.B) {
	const packages = 33_334 // so that there are 100,000 messages
	full, _ := filled(b, packages)
	st := newStream()
	must(b, full.Export(func(writes []record.Write) error {
		for _, w := range writes {
			st.sequence++
			st.messages = append(st.messages, record.Message{Name: w.Name, Data: w.Data, Sequence: st.sequence, Time: st.clock()})
		}
		return nil
	}))
	size := 0
	for i := range st.messages {
		size += len(st.messages[i].Data)
	}
	b.ReportMetric(float64(size)/float64(len(st.messages)), "bytes/message")
	for b.Loop() {
		s := open(b, dbPath(b), store.Options{Replica: true})
		must(b, s.Rebuild(func(next *store.Store) error {
			must(b, next.Begin(streamID, uint64(day(0).UnixMicro())))
			for batch := range slices.Chunk(st.messages, 500) {
				must(b, next.Apply(batch))
			}
			return nil
		}, ""))
		must(b, s.Close())
	}
	b.ReportMetric(float64(len(st.messages)*b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(packages*b.N)/b.Elapsed().Seconds(), "packages/s")
}
