package cluster

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pkgmetad/internal/record"

	"go.etcd.io/bbolt"
)

// records4K returns so many writes of 4 KB that don't compress.
func records4K(count int) (writes []record.Write) {
	random := rand.NewChaCha8([32]byte{})
	for i := range count {
		data := make([]byte, 4096)
		_, _ = random.Read(data)
		writes = append(writes, record.Write{Name: fmt.Sprintf("source/github.com/owner/name-%d", i), Data: data})
	}
	return writes
}

// BenchmarkPublish publishes 4 KB records through three servers, each of which syncs
// every write, all in this process and on one disk; and puts the same into one bbolt
// file, 256 a transaction. ratio is how many of the former are done in the time of
// one of the latter.
func BenchmarkPublish(b *testing.B) {
	const count = 5000
	nodes := together(b, servers(b, 3))
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	writes := records4K(count)
	names := make(map[string]int, count)
	for i, w := range writes {
		names[w.Name] = i
	}
	var published, put time.Duration
	for b.Loop() {
		began := time.Now()
		if _, err := nodes[0].Publish(context.Background(), writes); err != nil {
			b.Fatal(err)
		}
		published += time.Since(began)
		began = time.Now()
		for batch := range slices.Chunk(writes, 256) {
			if err := db.Update(func(tx *bbolt.Tx) error { return putAll(tx, batch) }); err != nil {
				b.Fatal(err)
			}
		}
		put += time.Since(began)
		if err := nodes[0].Scan(context.Background(), func(name string, sequence uint64, _ time.Time) error {
			writes[names[name]].Expect = sequence
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	rounds := float64(b.N * count)
	b.ReportMetric(rounds/published.Seconds(), "published/s")
	b.ReportMetric(rounds/put.Seconds(), "put/s")
	b.ReportMetric(put.Seconds()/published.Seconds(), "ratio")
}

func putAll(tx *bbolt.Tx, batch []record.Write) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte("records"))
	if err != nil {
		return err
	}
	for _, w := range batch {
		if err := bucket.Put([]byte(w.Name), bytes.Clone(w.Data)); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLatency publishes one record after the other on one of three hosts, and
// measures until it is acknowledged and until another host has it to apply.
func BenchmarkLatency(b *testing.B) {
	nodes := together(b, servers(b, 3))
	ctx, cancel := context.WithCancel(context.Background())
	arrived, done := make(chan uint64, 1), make(chan struct{})
	go func() {
		defer close(done)
		_ = nodes[1].Follow(ctx, "", 0, func(batch []record.Message) error {
			arrived <- batch[len(batch)-1].Sequence
			return nil
		}, func() {})
	}()
	defer func() { cancel(); <-done }()
	write := records4K(1)[0]
	var acknowledged, followed []time.Duration
	for b.Loop() {
		began := time.Now()
		last, err := nodes[0].Publish(ctx, []record.Write{write})
		if err != nil {
			b.Fatal(err)
		}
		acknowledged = append(acknowledged, time.Since(began))
		for <-arrived < last {
		}
		followed = append(followed, time.Since(began))
		write.Expect = last
	}
	for name, all := range map[string][]time.Duration{"ack": acknowledged, "follow": followed} {
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2].Seconds()*1000, name+"-p50-ms")
		b.ReportMetric(all[len(all)*99/100].Seconds()*1000, name+"-p99-ms")
	}
}
