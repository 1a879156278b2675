package daemon

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/internal/cluster"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// BenchmarkStorePut puts what was learnt of repositories, 4 KB each, 256 at once as a pass does,
// into a store that is alone; publishes as many to three servers, which sync every write; and
// puts them into a store whose changes go that way and come back: all in the same run, on one
// disk. The ratios are how many of the latter two are done in the time of one of the first. The
// stores of the other two hosts, which would be on machines of their own, are left out.
func BenchmarkStorePut(b *testing.B) {
	const packages, batch = 2560, 256
	open := func(replica bool) *store.Store {
		s, err := store.Open(filepath.Join(b.TempDir(), "x.db"), store.Options{Refer: fetcher.Refer("github.com"), Render: render.New, Rendering: render.Rendering{Zone: time.UTC}.Name(), Replica: replica})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s
	}
	addresses, err := cluster.FreeAddresses(3)
	if err != nil {
		b.Fatal(err)
	}
	servers := map[string]string{"a": addresses[0], "b": addresses[1], "c": addresses[2]}
	var m *member
	for name := range servers {
		cfg := config.Default()
		cfg.Store.Path = filepath.Join(b.TempDir(), name+".db")
		cfg.Cluster = config.Cluster{Name: name, Servers: servers, Secret: config.NewSecret("a secret of all hosts")}
		s := open(true)
		r := &refresher{store: s, log: zerolog.Nop(), health: newHealth(s, zerolog.Nop())}
		r.leases = newLeases(cfg, zerolog.Nop(), r.settings.Load)
		r.settings.Store(&settings{cfg: cfg})
		host, err := newMember(b.Context(), Options{Config: cfg, Log: zerolog.Nop()}, r)
		if err != nil {
			b.Fatal(err)
		}
		host.group.Go(func() { host.announce(b.Context()) })
		b.Cleanup(func() { _ = host.close() })
		m = host
	}
	m.follower.Go(func() { m.follow(m.following) })
	for deadline := time.Now().Add(time.Minute); !m.caughtUp.Load(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatal("the hosts do not come together")
		}
	}
	var c record.Catalogue
	for i := range packages {
		name := fmt.Sprintf("package-%05d", i)
		c.Packages = append(c.Packages, record.Entry{Slug: name, Title: name, RepoURL: new("https://github.com/owner/" + name)})
	}
	alone := open(false)
	for _, s := range []*store.Store{alone, m.store} {
		if _, err := s.SyncCatalogue(c, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	var participants []string
	for i := range 180 {
		participants = append(participants, fmt.Sprintf("participant-%05d", i))
	}
	took := map[*store.Store]time.Duration{}
	var published time.Duration
	expect := make([]uint64, packages)
	stars := 0
	for b.Loop() {
		stars++
		for from := 0; from < packages; from += batch {
			var writes []record.Write
			for i := from; i < from+batch; i++ {
				name := fmt.Sprint("bench/", i)
				writes = append(writes, record.Write{Name: name, Data: fmt.Appendf(nil, `{"v":1,"value":"%04096d"}`, stars), Expect: expect[i]})
			}
			began := time.Now()
			last, err := m.Publish(writes)
			if err != nil {
				b.Fatal(err)
			}
			published += time.Since(began)
			for i := range batch {
				expect[from+i] = last - uint64(batch-1-i) // nobody else writes
			}
		}
		for _, s := range []*store.Store{alone, m.store} {
			for from := 0; from < packages; from += batch {
				now := time.Now()
				var learnt []record.Source
				for i := from; i < from+batch; i++ {
					learnt = append(learnt, record.Source{
						Key:    record.RepoKey("github.com", "owner", c.Packages[i].Slug),
						Status: record.Status{State: record.StateOK, LastAttempt: now, LastSuccess: now, NextDue: now.Add(time.Hour)},
						Repo:   &record.Repo{Name: "owner/" + c.Packages[i].Slug, Stars: stars, Participants: participants, Commits52: make([]int, 52)},
					})
				}
				began := time.Now()
				if err := s.Put(learnt); err != nil {
					b.Fatal(err)
				}
				took[s] += time.Since(began)
			}
		}
	}
	rounds := float64(b.N * packages)
	b.ReportMetric(rounds/took[alone].Seconds(), "alone/s")
	b.ReportMetric(rounds/published.Seconds(), "published/s")
	b.ReportMetric(took[alone].Seconds()/published.Seconds(), "published/alone")
	b.ReportMetric(rounds/took[m.store].Seconds(), "shared/s")
	b.ReportMetric(took[alone].Seconds()/took[m.store].Seconds(), "shared/alone")
}
