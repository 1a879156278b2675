package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/snapshot"
	"pkgmetad/store"
)

const siteBase = "http://example.com" // of httptest.NewRequest

// snapshotsOf keeps the snapshots of a store in the folder.
func snapshotsOf(t testing.TB, dir string, s snapshot.Store) *snapshot.Follower {
	t.Helper()
	kept, err := snapshot.New(dir, s, render.Rendering{Base: siteBase}, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// withSnapshot returns the API over the documented records, with a snapshot of them.
func withSnapshot(t testing.TB) (http.Handler, *store.Store, *snapshot.Follower) {
	t.Helper()
	records, zone := documented(t)
	s := records.store(t, Options{Location: zone})
	kept := snapshotsOf(t, t.TempDir(), s)
	if err := kept.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newHandler(t, Options{Store: s, Snapshots: kept, Location: zone}), s, kept
}

// aMinuteAgo is a store that last changed a minute earlier than it did: no later
// change can be of the same second.
type aMinuteAgo struct{ *store.Store }

func (a aMinuteAgo) EachServed(use func(store.Served) error) (uint64, time.Time, error) {
	sequence, changed, err := a.Store.EachServed(use)
	return sequence, changed.Add(-time.Minute), err
}

// TestSnapshot: all packages as they are served, one a line, by id.
func TestSnapshot(t *testing.T) {
	h, s, _ := withSnapshot(t)
	w := do(h, "GET", snapshotPath)
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("%d of %s", w.Code, w.Header().Get("Content-Type"))
	}
	if got := w.Header().Get(sequenceHeader); got != fmt.Sprint(s.Sequence()) {
		t.Errorf("%s: %s", sequenceHeader, got)
	}
	lines := strings.SplitAfter(w.Body.String(), "\n")
	if len(lines) != 47 || lines[46] != "" {
		t.Fatalf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	last := 0
	for _, line := range lines[:46] {
		var p struct{ ID int }
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if p.ID <= last {
			t.Errorf("%d after %d", p.ID, last)
		}
		last = p.ID
		if served := do(h, "GET", fmt.Sprint("/api/v4/packages/", p.ID, "/")).Body.String() + "\n"; served != line {
			t.Errorf("the line\n%sis served as\n%s", line, served)
		}
	}
}

func TestSnapshotCodings(t *testing.T) {
	h, s, _ := withSnapshot(t)
	now := do(h, "GET", snapshotPath)
	if w := do(h, "GET", snapshotPath, "If-Modified-Since", now.Header().Get("Last-Modified")); w.Code != 200 && w.Code != 304 {
		t.Errorf("by the date of this second: %d", w.Code)
	}
	kept := snapshotsOf(t, t.TempDir(), aMinuteAgo{s})
	if err := kept.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	h = newHandler(t, Options{Store: s, Snapshots: kept})
	plain := do(h, "GET", snapshotPath)
	tags := map[string]bool{}
	for accept, coding := range map[string]string{
		"": "", "identity": "", "br": "", "gzip": "gzip", "zstd": "zstd", "gzip, zstd": "zstd", "gzip, zstd;q=0": "gzip", "*": "gzip",
		"gzip;q=1, zstd;q=0.1": "gzip", "identity;q=1, *;q=0.1": "", "gzip, deflate, br, zstd": "zstd", "gzip;q=0": "",
	} {
		w := do(h, "GET", snapshotPath, "Accept-Encoding", accept)
		tags[w.Header().Get("ETag")] = true
		var body []byte
		switch coding {
		case "gzip":
			body = unzip(t, bytes.NewReader(w.Body.Bytes()))
		case "zstd":
			z, err := zstd.NewReader(bytes.NewReader(w.Body.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			body, _ = io.ReadAll(z)
			z.Close()
		default:
			body = w.Body.Bytes()
		}
		if w.Header().Get("Content-Encoding") != coding || !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("%q: %q, %d bytes", accept, w.Header().Get("Content-Encoding"), len(body))
		}
		if w.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: Content-Length %s of %d, Vary %s", accept, w.Header().Get("Content-Length"), w.Body.Len(), w.Header().Get("Vary"))
		}
		tag := w.Header().Get("ETag")
		if strings.HasPrefix(tag, "W/") {
			t.Errorf("%q: a weak tag %s", accept, tag)
		}
		if w := do(h, "GET", snapshotPath, "Accept-Encoding", accept, "If-None-Match", tag); w.Code != 304 || w.Body.Len() != 0 {
			t.Errorf("%q: %d with the tag", accept, w.Code)
		}
		modified := w.Header().Get("Last-Modified")
		if w := do(h, "GET", snapshotPath, "If-Modified-Since", modified); w.Code != 304 {
			t.Errorf("%q: %d with the date", accept, w.Code)
		}
		whole := w.Body.Bytes()
		w = do(h, "GET", snapshotPath, "Accept-Encoding", accept, "Range", "bytes=100-", "If-Range", tag)
		if w.Code != 206 || !bytes.Equal(w.Body.Bytes(), whole[100:]) || w.Header().Get("Content-Length") != fmt.Sprint(len(whole)-100) {
			t.Errorf("%q: the rest is %d, %d of %d bytes", accept, w.Code, w.Body.Len(), len(whole)-100)
		}
		if w := do(h, "GET", snapshotPath, "Accept-Encoding", accept, "Range", "bytes=100-", "If-Range", `"other"`); w.Code != 200 || w.Body.Len() != len(whole) {
			t.Errorf("%q: the rest of another one is %d, %d bytes", accept, w.Code, w.Body.Len())
		}
		if w := do(h, "HEAD", snapshotPath, "Accept-Encoding", accept); w.Body.Len() != 0 || w.Header().Get("Content-Length") != fmt.Sprint(len(whole)) {
			t.Errorf("HEAD with %q: %v", accept, w.Header())
		}
	}
	if len(tags) != 3 {
		t.Errorf("three codings have the tags %v", tags)
	}
	if w := do(h, "GET", snapshotPath, "Range", "bytes=99999999-"); w.Code != 416 {
		t.Errorf("beyond the end: %d", w.Code)
	}
	if w := do(h, "POST", snapshotPath); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %s", w.Code, w.Header().Get("Allow"))
	}
}

// TestSnapshotIsMissing: while there is none, and where its file was taken away,
// readers are told to come again.
func TestSnapshotIsMissing(t *testing.T) {
	records, _ := documented(t)
	dir := t.TempDir()
	kept := snapshotsOf(t, dir, records)
	h := newHandler(t, Options{Store: records, Snapshots: kept})
	unavailable := func(when, want string) {
		t.Helper()
		w := do(h, "GET", snapshotPath, "Accept-Encoding", "zstd")
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %v %s", when, w.Code, w.Header(), w.Body)
		}
	}
	unavailable("before the first", "is being made")
	if err := kept.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.zst"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	unavailable("without its file", "cannot be read")
	if err := kept.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := do(h, "GET", snapshotPath, "Accept-Encoding", "zstd"); w.Code != 200 {
		t.Errorf("after the snapshot was made again: %d", w.Code)
	}
}

// TestSlowReadersHoldNothing: readers of the snapshot that hardly read neither
// keep anybody waiting nor cost memory, and end with the snapshot they began.
func TestSlowReadersHoldNothing(t *testing.T) {
	records, _ := documented(t)
	s := records.store(t, Options{})
	var c record.Catalogue
	for id := range 4000 { // more than the buffers of the sockets take
		c.Packages = append(c.Packages, record.Entry{ID: id + 1, Slug: fmt.Sprint("p", id), Title: strings.Repeat("long ", 400)})
	}
	if _, err := s.SyncCatalogue(c, time.Now()); err != nil {
		t.Fatal(err)
	}
	kept := snapshotsOf(t, t.TempDir(), s)
	if err := kept.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	h := newHandler(t, Options{Store: s, Snapshots: kept})
	want := do(h, "GET", snapshotPath).Body.Bytes()
	server := httptest.NewUnstartedServer(h)
	server.Config = NewServer(server.Config.Handler, zerolog.Nop())
	server.Listener = LimitListener(server.Listener, 1000)
	server.Start()
	defer server.Close()

	memory := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := memory()
	const readers = 64
	var conns []net.Conn
	for range readers {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: example.com\r\n\r\n", snapshotPath)
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if grown := int64(memory()) - int64(before); grown > readers*64<<10 {
		t.Errorf("each reader costs %d bytes of memory", grown/readers)
	}
	for range 3 { // writers, other readers and new snapshots go on
		c.Packages = c.Packages[1:]
		if _, err := s.SyncCatalogue(c, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := kept.Make(t.Context()); err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Get(server.URL + "/api/v4/packages/")
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("%v %v", resp, err)
		}
		resp.Body.Close()
	}
	for _, conn := range conns[1:] {
		conn.Close()
	}
	rest, err := io.ReadAll(io.LimitReader(conns[0], int64(len(want))))
	if err != nil || !bytes.Contains(rest, want[:len(want)-4096]) {
		t.Errorf("the slow reader got %d bytes, %v", len(rest), err)
	}
}
