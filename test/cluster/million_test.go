package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/store"
	"pkgmetad/test/program"
)

// TestMillion has a host with a large store begin, two join, one of them once more with nothing,
// and one restart; and compares the memory at rest with that of the host alone.
// PKGMETAD_RECORDS is how many records there are: a third are packages, the others their
// repositories and projects, of 4 KB on average.
func TestMillion(t *testing.T) {
	long(t, "million")
	packages := (program.Number(t, "PKGMETAD_RECORDS", 1_000_000, 1) + 2) / 3
	s := newSite(t, options{alone: true})
	a := s.hosts[0]
	took := s.fill(t, a, packages)
	t.Logf("%d packages, with repositories and projects %d records, were written to a store in %s", packages, 3*packages, took)

	a.empty = false
	a.start(t)
	a.settled(t)
	alone := a.memory(t)
	t.Logf("alone, at rest: %d MiB of memory", alone)
	a.stop(t)

	s.alone = false
	s.servers = nil
	free := ports(t, 3)
	for i, name := range []string{"a", "b", "c"} {
		s.servers = append(s.servers, fmt.Sprintf("%s: \"127.0.0.1:%d\"", name, free[i]))
	}
	b, c := s.add(t, "b", s.workers), s.add(t, "c", s.workers)
	a.configure(t)
	began := time.Now()
	for _, h := range s.hosts {
		h.begin(t)
	}
	peak := 0
	eventually(t, time.Hour, func() error {
		peak = max(peak, a.memory(t))
		for _, h := range s.hosts {
			if !strings.Contains(h.logged(h.from), "this host has what the others have") {
				return fmt.Errorf("%s has not come to where the others are", h.name)
			}
		}
		return nil
	})
	published := time.Since(began)
	t.Logf("published by the first and followed by all three within %s: %.0f records/s; the first took %d MiB of memory at most", published.Round(time.Second), float64(3*packages)/published.Seconds(), peak)
	for _, h := range s.hosts {
		h.empty = false
		h.settled(t)
	}
	t.Logf("as one of three, at rest: %d MiB of memory, %d more than alone", a.memory(t), a.memory(t)-alone)
	t.Logf("on disk: a database of %d MiB, and %d MiB of the server", size(t, b.path("store/pkgmetad.db")), size(t, b.path("store/pkgmetad.db.cluster")))

	c.stop(t)
	c.wipe(t)
	began = time.Now()
	c.begin(t)
	eventually(t, time.Hour, func() error {
		if !strings.Contains(c.logged(c.from), "this host has what the others have") {
			return fmt.Errorf("the newcomer has not come to where the others are")
		}
		return nil
	})
	t.Logf("a host with nothing has everything after %s", time.Since(began).Round(100*time.Millisecond))

	b.stop(t)
	began = time.Now()
	b.begin(t)
	eventually(t, time.Minute, func() error {
		answer, err := b.get(t.Context(), "/api/v4/packages/1/", "")
		if err == nil && answer.status != http.StatusOK {
			err = fmt.Errorf("it answers %d", answer.status)
		}
		return err
	})
	t.Logf("a host that is started again serves after %s", time.Since(began).Round(10*time.Millisecond))
	var answers [][]byte
	for _, h := range s.hosts {
		answer, err := h.get(t.Context(), "/api/v4/packages/?limit=1000", "")
		must(t, err)
		answers = append(answers, answer.body)
	}
	if !bytes.Equal(answers[0], answers[1]) || !bytes.Equal(answers[0], answers[2]) {
		t.Error("they serve different things")
	}
}

// fill makes the store and the catalogue of a host, with packages that were fetched now.
func (s *site) fill(t *testing.T, h *host, packages int) time.Duration {
	t.Helper()
	began := time.Now()
	var text bytes.Buffer
	for i := range packages {
		fmt.Fprintf(&text, "{\"id\": %d, \"slug\": \"package-%07d\", \"title\": \"package-%07[2]d\", \"repo_url\": \"https://github.com/owner/package-%07[2]d\", \"pypi_url\": \"https://pypi.org/project/package-%07[2]d\"}\n", i+1, i)
	}
	path := filepath.Join(s.folder, "catalogue.ndjson")
	must(t, os.WriteFile(path, text.Bytes(), 0o600))
	c, err := catalogue.Load(path)
	must(t, err)

	served := render.Rendering{Zone: time.UTC, Base: "https://packages.example.org"}
	st, err := store.Open(h.path("store/pkgmetad.db"), store.Options{Refer: fetcher.Refer("github.com"), Render: render.New, Rendering: served.Name()})
	must(t, err)
	now := time.Now().UTC().Truncate(time.Second)
	c.Digest = catalogue.Digest(path, "github.com")
	_, err = st.SyncCatalogue(c, now)
	must(t, err)
	status := record.Status{State: record.StateOK, LastAttempt: now, LastSuccess: now, NextDue: now.Add(20 * time.Hour)}
	commits, participants := make([]int, 52), []string(nil)
	for i := range 60 {
		participants = append(participants, fmt.Sprintf("participant-%05d", i))
	}
	var versions []record.Version
	for i := range 220 {
		versions = append(versions, record.Version{Version: fmt.Sprintf("1.%d.0", i), Uploaded: &now})
	}
	var batch []record.Source
	for i := range c.Packages {
		name := c.Packages[i].Slug
		commits[i%52]++
		batch = append(batch,
			record.Source{Key: record.RepoKey("github.com", "owner", name), Status: status, Repo: &record.Repo{
				Name: "owner/" + name, ID: int64(i), Stars: i % 5000, Forks: i % 70, Description: "a package of that size", Participants: participants, Commits52: commits, LastCommit: &now,
			}},
			record.Source{Key: record.ProjectKey(name), Status: status, Project: &record.Project{Name: name, Version: new("1.219.0"), Versions: versions, Licence: "MIT"}})
		if len(batch) >= 20_000 || i == len(c.Packages)-1 {
			must(t, st.Put(batch))
			batch = nil
		}
	}
	must(t, st.Close())
	return time.Since(began).Round(time.Second)
}

// settled waits until snapshot and search of a host are of the present.
func (h *host) settled(t *testing.T) {
	t.Helper()
	eventually(t, time.Hour, func() error {
		var status struct {
			Search   struct{ State string }
			Snapshot *struct{ Sequence uint64 }
		}
		if err := h.read(t.Context(), "/status/", &status); err != nil {
			return err
		}
		if status.Search.State != "current" || status.Snapshot == nil {
			return fmt.Errorf("the search of %s is %s", h.name, status.Search.State)
		}
		return nil
	})
	time.Sleep(15 * time.Second) // garbage is given back
}

// size is what a file, or all files below a folder, have, in MiB. Those that are removed
// meanwhile do not count.
func size(t *testing.T, path string) int64 {
	t.Helper()
	var all int64
	must(t, filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil && !entry.IsDir() {
			if info, err = entry.Info(); err == nil {
				all += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}))
	return all >> 20
}

// memory is what a host has of the machine's memory, in MiB, pages of files aside.
func (h *host) memory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.process.Process.Pid))
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
			must(t, err)
			return kilobytes / 1024
		}
	}
	t.Fatal("the kernel does not tell how much memory the host has")
	return 0
}
