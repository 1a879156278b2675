package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/config"
)

// manager listens where systemd would.
type manager struct {
	t    *testing.T
	told chan string
}

// listenAsManager listens where systemd would, and reads nothing.
func listenAsManager(t *testing.T) *net.UnixConn {
	t.Helper()
	folder, err := os.MkdirTemp("", "notify") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = os.RemoveAll(folder) })
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	conn := listenAsManager(t)
	m := &manager{t, make(chan string, 10_000)}
	go func() {
		buffer := make([]byte, 4<<10)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			m.told <- string(buffer[:n])
		}
	}()
	return m
}

// next returns the next datagram that is none of those left out.
func (m *manager) next(leftOut ...string) string {
	m.t.Helper()
	for {
		select {
		case text := <-m.told:
			if !slices.ContainsFunc(leftOut, func(prefix string) bool { return strings.HasPrefix(text, prefix) }) {
				return text
			}
		case <-time.After(20 * time.Second):
			m.t.Fatal("systemd is told nothing")
		}
	}
}

func (m *manager) want(pattern string, leftOut ...string) {
	m.t.Helper()
	if got := m.next(leftOut...); !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(got) {
		m.t.Errorf("systemd is told %q, not %q", got, pattern)
	}
}

// TestNotify: systemd is told when the daemon serves, reloads and stops, and what it
// does; and the watchdog is pinged meanwhile.
func TestNotify(t *testing.T) {
	x := newTrial(t)
	m := newManager(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	const doing = `STATUS=(pass running since [0-9: -]+ UTC(, 1 of 1)?|idle until [0-9]{4}-01-01 00:00:00 UTC); catalogue of `
	d, ended := x.start()
	m.want(`EXTEND_TIMEOUT_USEC=90000000\nSTATUS=starting: .*`)
	m.want(`READY=1\n` + doing + `1 package`)
	if _, body := x.get(d, "/api/v4/packages/one/"); body["slug"] != "one" {
		t.Errorf("it was told ready, and served %v", body)
	}
	m.want("WATCHDOG=1")
	m.want("WATCHDOG=1")

	x.catalogue("packages: [{slug: one}, {slug: two}]\n")
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	m.want(`RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading`, "WATCHDOG=1")
	m.want(`READY=1\n`+doing+`2 packages`, "WATCHDOG=1")
	x.catalogue("packages: [{slug: one}, {slug: one}]\n")
	if err := d.Reload(false); err == nil {
		t.Error("a bad catalogue was taken over")
	}
	m.want(`RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading`, "WATCHDOG=1")
	m.want(`READY=1\n`+doing+`2 packages`, "WATCHDOG=1")

	x.stop(d, ended)
	m.want(`STOPPING=1\nSTATUS=stopping: .*`, "WATCHDOG=1")
}

// TestLongStart: systemd is told again and again to wait for a start that takes long, but
// not for ever, and not once it is over.
func TestLongStart(t *testing.T) {
	m := newManager(t)
	synctest.Test(t, func(t *testing.T) {
		n := &notifier{log: zerolog.Nop(), on: true, patience: time.Second, activity: func() string { return "testing" }}
		started := n.starting()
		time.Sleep(startEvery*3 + time.Second)
		started()
		n.ready()
		started = n.starting()
		time.Sleep(2 * startLimit)
		started()
		n.ready()
	})
	for _, times := range []int{4, int(startLimit / startEvery)} {
		for range times {
			m.want(`EXTEND_TIMEOUT_USEC=90000000\nSTATUS=starting: .*`)
		}
		m.want(`READY=1\nSTATUS=testing`)
	}
}

// TestWatchdog: there is a ping every third of the interval while the daemon is alive,
// none while it is not, and one line in the log each time that it ceases to be.
func TestWatchdog(t *testing.T) {
	m := newManager(t)
	log := new(lines)
	var ill atomic.Bool
	asked := make(chan bool)
	n := &notifier{log: zerolog.New(log), on: true, patience: time.Second, watchdog: 30 * time.Millisecond, activity: func() string { return "testing" }, alive: func() error {
		if !ill.Load() {
			return nil
		}
		select {
		case asked <- true:
		case <-t.Context().Done():
		}
		return errors.New("the store is stuck")
	}}
	done := make(chan struct{})
	go func() { n.run(t.Context()); close(done) }()
	m.want("READY=1\nSTATUS=testing")
	begun := time.Now()
	for range 3 {
		m.want("WATCHDOG=1")
	}
	if took := time.Since(begun); took < 15*time.Millisecond {
		t.Errorf("three pings in %s, not a third of the interval apart", took)
	}
	ill.Store(true)
	<-asked
	for len(m.told) > 0 { // sent before
		<-m.told
	}
	for range 10 { // thirds of the interval
		<-asked
	}
	if n := len(m.told); n > 1 { // one may have been on its way
		t.Errorf("%d pings while it is not alive", n)
	}
	if n := strings.Count(log.String(), "the store is stuck"); n != 1 {
		t.Errorf("the log tells %d times", n)
	}
	ill.Store(false)
	m.want("WATCHDOG=1")
}

// TestNotAlive: what the watchdog acts on, and what it leaves alone.
func TestNotAlive(t *testing.T) {
	x := newTrial(t)
	d, err := New(x.options())
	if err != nil {
		t.Fatal(err)
	}
	alive := func(want string) {
		t.Helper()
		switch err := d.alive(); {
		case err == nil && want != "", err != nil && (want == "" || !strings.Contains(err.Error(), want)):
			t.Errorf("alive: %v, not %q", err, want)
		}
	}
	alive("")
	if err := os.Rename(x.cfg.Store.Path, x.cfg.Store.Path+".moved"); err != nil {
		t.Fatal(err)
	}
	if d.refresher.store.Ready() == nil {
		t.Error("ready without its file")
	}
	alive("") // a restart would begin an empty store
	d.scheduler.beat.Store(new(time.Now().Add(-time.Hour)))
	alive("the scheduler stands still")
	d.scheduler.beat.Store(new(time.Now()))
	alive("")
	d.Stop()
	if err := d.Run(); err != nil {
		t.Fatal(err)
	}
	alive("the store does not answer") // it is closed
	if text := d.doing(); !strings.Contains(text, "the store does not answer") {
		t.Errorf("it says that it does: %s", text)
	}
}

// TestDoing: a pass that runs, and that the schedule is paused, do not hide each other.
func TestDoing(t *testing.T) {
	x := newTrial(t)
	d, err := New(x.options())
	if err != nil {
		t.Fatal(err)
	}
	says := func(pattern string) {
		t.Helper()
		if got := d.doing(); !regexp.MustCompile("^" + pattern + "; catalogue of 1 package$").MatchString(got) {
			t.Errorf("it says %q, not %q", got, pattern)
		}
	}
	says("idle until 20.* UTC")
	d.pause()
	says("paused since 20.* UTC")
	d.refresher.passSince.Store(new(time.Now()))
	says("pass running since 20.* UTC, the last one until passes are resumed")
	d.resume()
	says("pass running since 20.* UTC")
	d.Stop()
	if err := d.Run(); err != nil {
		t.Fatal(err)
	}
}

// TestHeartbeat: the scheduler's heart beats while its job runs for long, and stops
// when the scheduler does.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *scheduler
		schedule, err := config.ParseSchedule("@hourly", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		s = newScheduler(plan{schedule, time.UTC}, zerolog.Nop(), func(ctx context.Context) time.Time {
			for ctx.Err() == nil {
				time.Sleep(time.Minute)
				if err := s.alive(time.Now()); err != nil {
					t.Error(err)
				}
			}
			return time.Time{}
		})
		if err := s.alive(time.Now()); err != nil {
			t.Errorf("before it runs: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
		defer cancel()
		s.run(ctx)
		time.Sleep(time.Hour)
		if s.alive(time.Now()) == nil {
			t.Error("alive an hour after its end")
		}
	})
}

// TestDeafManager: a systemd that reads nothing holds nothing up for ever.
func TestDeafManager(t *testing.T) {
	x := newTrial(t)
	listenAsManager(t)
	d, err := New(x.options())
	if err != nil {
		t.Fatal(err)
	}
	d.systemd.patience = 20 * time.Millisecond
	for range 1000 { // until the socket takes no more
		if strings.Contains(x.log.String(), "systemd cannot be told") {
			break
		}
		d.systemd.tell("STATUS=testing")
	}
	ended := x.run(d)
	if err := d.Reload(false); err != nil {
		t.Fatal(err)
	}
	x.stop(d, ended)
	if !strings.Contains(x.log.String(), "systemd cannot be told") {
		t.Error("the log does not tell")
	}
}

// TestNoManager: whoever is not started by systemd tells nobody, and a watchdog that
// makes no sense is an error with its name.
func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	x := newTrial(t)
	x.stop(x.start())
	t.Setenv("WATCHDOG_USEC", "often")
	if _, err := New(x.options()); err == nil || !strings.Contains(err.Error(), "WATCHDOG_USEC") {
		t.Errorf("WATCHDOG_USEC=often: %v", err)
	}
	t.Setenv("WATCHDOG_USEC", "")
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	x.stop(x.start())
	if !strings.Contains(x.log.String(), "systemd cannot be told") {
		t.Error("a socket that nobody reads is not told of")
	}
}
