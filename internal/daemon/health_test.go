package daemon

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/fetcher"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// problem reports whether a status tells of a problem of that kind.
func problem(kind string) func(map[string]any) bool {
	return func(body map[string]any) bool {
		for _, p := range body["problems"].([]any) {
			if p.(map[string]any)["kind"] == kind {
				return true
			}
		}
		return false
	}
}

// logged reports how many lines of the log have all of the texts.
func (x *trial) logged(texts ...string) (n int) {
	for line := range strings.Lines(x.log.String()) {
		has := true
		for _, text := range texts {
			has = has && strings.Contains(line, text)
		}
		if has {
			n++
		}
	}
	return n
}

// TestNothingIsFetchedWhileNothingCanBeStored: a file that is gone is told of once, in
// the log, in the status and in readiness; nothing is asked until it is back.
func TestNothingIsFetchedWhileNothingCanBeStored(t *testing.T) {
	x := newTrial(t)
	d, ended := x.start()
	x.until(d, "/api/v4/packages/one/", stars(5))
	asked := x.world.Stats().Requests
	moved := x.cfg.Store.Path + ".moved"
	if err := os.Rename(x.cfg.Store.Path, moved); err != nil {
		t.Fatal(err)
	}
	client := Dial(t.Context(), x.cfg)
	for range 3 {
		if _, err := client.Refresh(t.Context(), Selection{All: true}, func(fetcher.Progress) {}); err == nil || !strings.Contains(err.Error(), "nothing is fetched") || !strings.Contains(err.Error(), "put it back") {
			t.Errorf("a refresh on demand: %v", err)
		}
		d.refresher.passes(t.Context())
	}
	if now := x.world.Stats().Requests; now != asked {
		t.Errorf("%d requests were made for nothing", now-asked)
	}
	w := httptest.NewRecorder()
	d.metrics.handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got := value(t, w.Body.String(), `pkgmetad_passes_total{result="error"}`); got != 3 { // those on schedule
		t.Errorf("%v passes are counted as failed", got)
	}
	if status, _ := x.get(d, "/readyz"); status != 503 {
		t.Errorf("readyz: %d", status)
	}
	x.until(d, "/status/", problem(store.ProblemFile))
	if n := x.logged("store_file", "error"); n != 1 {
		t.Errorf("the log tells of it %d times:\n%s", n, x.log)
	}
	if status, body := x.get(d, "/api/v4/packages/one/"); status != 200 || !stars(5)(body) {
		t.Errorf("what is there is not served: %d", status)
	}

	if err := os.Rename(moved, x.cfg.Store.Path); err != nil {
		t.Fatal(err)
	}
	if report, err := client.Refresh(t.Context(), Selection{All: true}, func(fetcher.Progress) {}); err != nil || report.Unchanged != 1 {
		t.Errorf("when it is back: %+v, %v", report, err)
	}
	if p := d.activity().Problems; len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
	if n := x.logged("store_file", "works again"); n != 1 {
		t.Errorf("the log tells of its return %d times:\n%s", n, x.log)
	}
	x.stop(d, ended)
}

// TestFollowersAreToldOf: a snapshot that cannot be made is a problem of the program, and
// so is, for the metrics, a search that fails.
func TestFollowersAreToldOf(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	if err := os.WriteFile(x.cfg.Store.Path+snapshotSuffix, nil, 0o600); err != nil { // where its folder would be
		t.Fatal(err)
	}
	if err := os.WriteFile(x.cfg.Store.Path+searchSuffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d, ended := x.start()
	x.until(d, "/status/", problem(problemSnapshot))
	var text string
	x.waitFor("the search to fail", func() bool {
		text = x.scrape(d)
		return value(t, text, `pkgmetad_problem{kind="search"}`) == 1
	})
	for series, want := range map[string]float64{`{kind="snapshot"}`: 1, `{kind="search"}`: 1, `{kind="backup"}`: 0} {
		if got := value(t, text, "pkgmetad_problem"+series); got != want {
			t.Errorf("%s is %v", series, got)
		}
	}
	if n := x.logged("no new snapshot", "error"); n != 1 {
		t.Errorf("the log tells of it %d times:\n%s", n, x.log)
	}
	x.stop(d, ended)
}

// TestDamageIsToldOf once it was met, until a reload has repaired it.
func TestDamageIsToldOf(t *testing.T) {
	x := newTrial(t)
	x.catalogue("packages: [{slug: one, repo_url: https://github.com/acme/one}, {slug: two}]\n")
	d, ended := x.start()
	x.until(d, "/api/v4/packages/one/", stars(5))
	damageFile(t, x.cfg.Store.Path, `"slug":"two"`, `"slug":"twO"`)
	if status, _ := x.get(d, "/status/packages/two/"); status != 500 {
		t.Errorf("a damaged package: %d", status)
	}
	if status, _ := x.get(d, "/readyz"); status != 503 {
		t.Errorf("readyz: %d", status)
	}
	x.until(d, "/status/", problem(store.ProblemDamage))
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	if err := d.refresher.store.Ready(); err != nil {
		t.Errorf("after a reload: %v", err)
	}
	if x.logged("store_damage", "pkgmetad check") != 1 || x.logged("store_damage", "works again") != 1 {
		t.Errorf("the log:\n%s", x.log)
	}
	x.stop(d, ended)
}

// damageFile replaces every occurrence of a text in a file by one as long.
func damageFile(t *testing.T, path, old, damaged string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for at := 0; ; n++ {
		i := strings.Index(string(content[at:]), old)
		if i < 0 {
			break
		}
		at += i
		if _, err := f.WriteAt([]byte(damaged), int64(at)); err != nil {
			t.Fatal(err)
		}
		at++
	}
	if n == 0 {
		t.Fatalf("%s is not in %s", old, path)
	}
}

// TestReadOnlyFolder: what cannot be written to is told of at the start.
func TestReadOnlyFolder(t *testing.T) {
	// Not even root can make a file in a folder of the kernel's.
	const closed = "/proc/self"
	if CheckFolder(closed) == nil {
		t.Skip("this machine has no folder that root cannot write to")
	}
	for key, set := range map[string]func(*config.Config) error{
		"store.path":          func(c *config.Config) error { c.Store.Path = closed + "/p.db"; return nil },
		"snapshot":            func(c *config.Config) error { return os.Symlink(closed, c.Store.Path+snapshotSuffix) },
		"search index":        func(c *config.Config) error { return os.Symlink(closed, c.Store.Path+searchSuffix) },
		"store.backup.folder": func(c *config.Config) error { c.Store.Backup.Folder = closed; return nil },
	} {
		x := newTrial(t)
		if err := set(x.cfg); err != nil {
			t.Fatal(err)
		}
		_, err := New(x.options())
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "cannot be written to") || !strings.Contains(err.Error(), "let its user write") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestBackups: they are made on schedule and made up for, and the oldest go.
func TestBackups(t *testing.T) {
	x := newTrial(t)
	x.cfg.Store.Backup = config.Backup{Folder: filepath.Join(filepath.Dir(x.cfg.Store.Path), "backups"), Keep: 2}
	var err error
	if x.cfg.Store.Backup.Schedule, err = config.ParseSchedule("0 3 * * *", time.UTC); err != nil {
		t.Fatal(err)
	}
	x.cfg.Schedule.TimeZone = time.UTC
	d, ended := x.start()
	files := func() string {
		entries, _ := os.ReadDir(x.cfg.Store.Backup.Folder)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	}
	x.waitFor("a first backup", func() bool { return strings.HasSuffix(files(), "Z.db") })
	x.stop(d, ended)
	if err := os.RemoveAll(x.cfg.Store.Backup.Folder); err != nil {
		t.Fatal(err)
	}

	st, err := OpenStore(x.cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	b := newBackups(func() *config.Config { return x.cfg }, st, newHealth(st, x.options().Log), x.options().Log)
	at := func(text string) time.Time {
		moment, err := time.Parse(time.DateTime, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	if err := os.Mkdir(x.cfg.Store.Backup.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"test-20260228T030000Z.db.tmp", "other.db.tmp"} { // as a kill leaves it; somebody else's
		if err := os.WriteFile(filepath.Join(x.cfg.Store.Backup.Folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		now   string
		due   bool
		files string
	}{
		{"2026-03-01 12:00:00", true, "test-20260301T120000Z.db"},
		{"2026-03-02 02:59:59", false, "test-20260301T120000Z.db"},
		{"2026-03-02 03:00:01", true, "test-20260301T120000Z.db test-20260302T030001Z.db"},
		{"2026-03-02 03:01:00", false, "test-20260301T120000Z.db test-20260302T030001Z.db"},
		{"2026-03-09 11:00:00", true, "test-20260302T030001Z.db test-20260309T110000Z.db"},
		{"2026-03-03 02:00:00", false, "test-20260302T030001Z.db test-20260309T110000Z.db"}, // the clock was ahead
		{"2026-03-03 03:00:01", true, "test-20260302T030001Z.db test-20260303T030001Z.db"},
		{"2026-03-03 03:01:00", false, "test-20260302T030001Z.db test-20260303T030001Z.db"},
	} {
		now := at(step.now)
		if due := b.due(now); due != step.due {
			t.Errorf("%s: due %t", step.now, due)
		} else if due {
			if err := b.make(now); err != nil {
				t.Error(err)
			}
		}
		if got := files(); got != "other.db.tmp "+step.files {
			t.Errorf("%s: %s, want %s", step.now, got, step.files)
		}
	}
	if report, err := store.CheckFile(filepath.Join(x.cfg.Store.Backup.Folder, "test-20260303T030001Z.db"), storeOptions(x.cfg, openAsIs)); err != nil || len(report.Findings) > 0 || report.Packages != 1 {
		t.Errorf("the backup: %+v, %v", report, err)
	}

	// One that fails removes nothing.
	before := files()
	damageFile(t, x.cfg.Store.Path, `"slug":"one"`, `"slug":"oNe"`)
	if err := b.make(at("2026-03-10 03:00:00")); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a backup of a damaged store: %v", err)
	}
	if files() != before {
		t.Errorf("it left %s", files())
	}
}

// TestCommandsWithAndWithoutDaemon: backup, check and compact do the same for the file
// and for the daemon that has it open.
func TestCommandsWithAndWithoutDaemon(t *testing.T) {
	x := newTrial(t)
	folder := filepath.Dir(x.cfg.Store.Path)
	d, ended := x.start()
	x.until(d, "/api/v4/packages/one/", stars(5))
	commands := func(name string) {
		copied := filepath.Join(folder, name+".db")
		report, err := Backup(t.Context(), x.cfg, copied)
		if err != nil || report.Packages != 1 || report.Sources != 1 {
			t.Errorf("%s: backup: %+v, %v", name, report, err)
		}
		for _, file := range []string{"", copied} {
			if report, _, err := Check(t.Context(), x.cfg, file); err != nil || report.Packages != 1 || len(report.Findings) > 0 {
				t.Errorf("%s: check: %+v, %v", name, report, err)
			}
		}
		if before, after, err := Compact(t.Context(), x.cfg, nil); err != nil || after == 0 || after > before {
			t.Errorf("%s: compact: %d to %d, %v", name, before, after, err)
		}
		if _, err := Backup(t.Context(), x.cfg, x.cfg.Store.Path); err == nil || !strings.Contains(err.Error(), "the store itself") {
			t.Errorf("%s: a backup onto the store: %v", name, err)
		}
		if _, err := Backup(t.Context(), x.cfg, filepath.Join(folder, "none", "copy.db")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a backup to nowhere: %v", name, err)
		}
	}
	commands("hot")
	x.stop(d, ended)
	commands("cold")
	if left, _ := filepath.Glob(x.cfg.Store.Path + ".*-*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}

	// To restore is to put the file back.
	if err := os.Rename(filepath.Join(folder, "hot.db"), x.cfg.Store.Path); err != nil {
		t.Fatal(err)
	}
	d, ended = x.start()
	if status, body := x.get(d, "/api/v4/packages/one/"); status != 200 || !stars(5)(body) {
		t.Errorf("restored: %d %v", status, body)
	}
	x.stop(d, ended)

	damageFile(t, x.cfg.Store.Path, `"slug":"one"`, `"slug":"oNe"`)
	if report, name, err := Check(t.Context(), x.cfg, ""); err != nil || len(report.Findings) == 0 || name != x.cfg.Store.Path {
		t.Errorf("the check of a damaged store: %+v of %s, %v", report, name, err)
	}
	if _, err := Backup(t.Context(), x.cfg, filepath.Join(folder, "cold.db")); err == nil || !strings.Contains(err.Error(), "not kept") {
		t.Errorf("the backup of a damaged store: %v", err)
	}
	if report, _, err := Check(t.Context(), x.cfg, filepath.Join(folder, "cold.db")); err != nil || len(report.Findings) > 0 {
		t.Errorf("it took the place of a good one: %+v, %v", report, err)
	}
}

// TestBackupThatBreaksOff is an error, not a short file.
func TestBackupThatBreaksOff(t *testing.T) {
	x := newTrial(t)
	d, ended := x.start()
	client := Dial(t.Context(), x.cfg)
	broken := errors.New("the disk of the other end is full")
	if err := client.Backup(t.Context(), writerFunc(func([]byte) (int, error) { return 0, broken })); !errors.Is(err, broken) {
		t.Errorf("it ended with: %v", err)
	}
	x.stop(d, ended)
	if err := client.Backup(t.Context(), io.Discard); err == nil {
		t.Error("a daemon that is gone made a backup")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWorthCompacting(t *testing.T) {
	for _, test := range []struct {
		size, free int64
		want       bool
	}{
		{0, 0, false}, {15 << 20, 15 << 20, false}, {16 << 20, 8 << 20, false}, {16 << 20, 9 << 20, true}, {1 << 30, 600 << 20, true}, {1 << 30, 0, false},
	} {
		if got := worthCompacting(test.size, test.free); got != test.want {
			t.Errorf("%d of %d free: %t", test.free, test.size, got)
		}
	}
}

// TestHealthLooksByItself: what begins and ends while no pass runs is told of once each,
// and what waited for writes to work is woken.
func TestHealthLooksByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(filepath.Join(t.TempDir(), "test.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		x := &trial{t: t, log: new(lines)}
		h := newHealth(st, zerolog.New(x.log))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var recovered atomic.Int64
		running.Go(func() { h.run(ctx, func() { recovered.Add(1) }) })
		if err := os.Rename(st.Path(), st.Path()+".moved"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if x.logged("store_file", "error") != 1 || recovered.Load() != 0 {
			t.Errorf("recovered %d times; the log:\n%s", recovered.Load(), x.log)
		}
		if err := os.Rename(st.Path()+".moved", st.Path()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if x.logged("store_file", "works again") != 1 || recovered.Load() != 1 {
			t.Errorf("recovered %d times; the log:\n%s", recovered.Load(), x.log)
		}
		cancel()
		running.Wait()
	})
}

// TestProbe: a minute after writes began to fail it is tried whether they work again, and
// what waited for that is woken.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(filepath.Join(t.TempDir(), "test.db"), store.Options{MaxSize: 4 << 20})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		x := &trial{t: t, log: new(lines)}
		h := newHealth(st, zerolog.New(x.log))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var recovered atomic.Int64
		running.Go(func() { h.run(ctx, func() { recovered.Add(1) }) })
		if err := st.LogPass(record.Pass{Started: time.Now(), Error: strings.Repeat("x", 8<<20)}, time.Time{}); err == nil {
			t.Fatal("there was room for it")
		}
		for _, step := range []struct {
			wait         time.Duration
			errors, over int
		}{{lookEvery + time.Second, 1, 0}, {probeEvery - lookEvery, 1, 0}, {2 * lookEvery, 1, 1}, {time.Hour, 1, 1}} {
			time.Sleep(step.wait)
			synctest.Wait()
			if x.logged(store.ProblemWrites, "error") != step.errors || x.logged(store.ProblemWrites, "works again") != step.over || int(recovered.Load()) != step.over {
				t.Errorf("after %s more: woken %d times; the log:\n%s", step.wait, recovered.Load(), x.log)
			}
		}
		cancel()
		running.Wait()
	})
}

// TestFreeSpaceIsGivenBack after a pass, once most of the file is free, and nothing is
// wrong with it.
func TestFreeSpaceIsGivenBack(t *testing.T) {
	x := newTrial(t)
	r, err := newRefresher(x.options(), x.options().Log, openAndRender)
	if err != nil {
		t.Fatal(err)
	}
	defer r.store.Close()
	if err := r.startCatalogue(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, size := range []int{20 << 20, 1} { // the second takes the first one's place
		if err := r.store.LogPass(record.Pass{Started: now.Add(-time.Hour), Error: strings.Repeat("x", size)}, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	before, free := r.store.Space()
	if !worthCompacting(before, free) {
		t.Fatalf("%d bytes, of which %d are free", before, free)
	}
	moved := x.cfg.Store.Path + ".moved"
	if err := os.Rename(x.cfg.Store.Path, moved); err != nil {
		t.Fatal(err)
	}
	r.passes(t.Context())
	if x.logged("compacted") != 0 || !r.compacted.IsZero() {
		t.Errorf("compacted although the file is gone:\n%s", x.log)
	}
	if err := os.Rename(moved, x.cfg.Store.Path); err != nil {
		t.Fatal(err)
	}
	r.passes(t.Context())
	if after, _ := r.store.Space(); after > before/2 || x.logged("has been compacted") != 1 {
		t.Errorf("%d bytes of %d; the log:\n%s", after, before, x.log)
	}
}

// TestMemoryLimit: the program has one of its own, unless the environment says otherwise.
func TestMemoryLimit(t *testing.T) {
	limit := func() int64 { return debug.SetMemoryLimit(-1) }
	before := limit()
	for _, environment := range []string{"", "700MiB"} {
		t.Setenv("GOMEMLIMIT", environment)
		x := newTrial(t)
		d, ended := x.start()
		x.until(d, "/status/", func(map[string]any) bool { return true })
		if got := limit(); (got != before) != (environment == "") || got <= 0 {
			t.Errorf("GOMEMLIMIT=%s: the limit is %d bytes, and was %d", environment, got, before)
		}
		x.stop(d, ended)
		if got := limit(); got != before {
			t.Errorf("it has left a limit of %d bytes", got)
		}
	}
}

// TestBackupThatFails is a problem until one is made, and is tried again each hour.
func TestBackupThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config.Default()
		cfg.Store.Path = filepath.Join(t.TempDir(), "test.db")
		cfg.Store.Backup = config.Backup{Folder: filepath.Join(t.TempDir(), "not yet", "backups"), Keep: 3}
		st, err := OpenStore(cfg, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		x := &trial{t: t, log: new(lines)}
		b := newBackups(func() *config.Config { return cfg }, st, newHealth(st, zerolog.New(x.log)), zerolog.New(x.log))
		if cfg.Store.Backup.Schedule, err = config.ParseSchedule("@daily", time.UTC); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { b.run(ctx) })
		time.Sleep(5*time.Hour + time.Second)
		synctest.Wait()
		if p := b.health.problems(); len(p) != 1 || p[0].Kind != problemBackup || x.logged("backup", "not yet", "error") != 1 {
			t.Errorf("problems %+v; the log:\n%s", p, x.log)
		}
		if b.due(time.Now()) {
			t.Error("it is tried again within the hour")
		}
		if err := os.Mkdir(filepath.Dir(cfg.Store.Backup.Folder), 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if p := b.health.problems(); len(p) != 0 || x.logged("backup made") != 1 || x.logged("works again") != 1 {
			t.Errorf("problems %+v; the log:\n%s", p, x.log)
		}
		time.Sleep(10 * 24 * time.Hour)
		synctest.Wait()
		if n := x.logged("backup made"); n != 11 || len(b.list()) != 3 {
			t.Errorf("%d backups in 10 days, of which there are %q", n, b.list())
		}
		cancel()
		running.Wait()
	})
}
