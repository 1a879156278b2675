// Package crash kills the built program, makes its writes fail, fills its disk and cuts
// its power, and checks that everything it ever told a reader is still there. The tests
// see what readers and operators see: HTTP, the commands, the log, the database file.
package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

const patience = program.Patience

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWorld makes an invented GitHub and PyPI, and serves it.
func newWorld(t *testing.T, o sim.Options) (*sim.World, string) {
	w := sim.Generate(7, 60, o)
	sim.Documented(w)
	server := httptest.NewServer(w.Handler())
	t.Cleanup(func() {
		_ = w.Close() // ends what stalls
		server.Close()
	})
	return w, server.URL + "/"
}

// A site is what one daemon serves: a folder with configuration, catalogue, token and
// database. The last may lie elsewhere.
type site struct {
	folder, database string
	world            *sim.World
	upstream         string
	staleAfter       time.Duration
	program          string // that serves it
	clock            string // the file that says how wrong the daemon's clock is; "" for none
}

func newSite(t *testing.T, o sim.Options) *site {
	t.Helper()
	s := &site{folder: t.TempDir(), staleAfter: 500 * time.Millisecond, program: program.Path()}
	s.database = filepath.Join(s.folder, "pkgmetad.db")
	s.world, s.upstream = newWorld(t, o)
	s.writeConfig(t)
	s.writeCatalogue(t, 0)
	s.writeToken(t, "a-token")
	return s
}

func (s *site) config() string { return filepath.Join(s.folder, "config.yaml") }

func (s *site) writeConfig(t *testing.T) {
	t.Helper()
	must(t, os.WriteFile(s.config(), fmt.Appendf(nil, `
store: {path: %q}
http: {listen: "127.0.0.1:0", public_url: "https://packages.example.org"}
catalogue: {path: catalogue.ndjson}
schedule: {refresh: "@every 1s"}
refresh: {stale_after: %s, retry_min: 1s, retry_max: 2s, pending_wait: 100ms}
github: {base_url: %q, url_host: github.com, token_file: token, timeout: 2s}
pypi: {base_url: %[3]q, contact: ops@example.org, timeout: 2s, concurrency: 8, rate: 0}
log: {format: json}
`, s.database, s.staleAfter, s.upstream), 0o600))
}

func (s *site) writeToken(t *testing.T, token string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(s.folder, "token"), []byte(token), 0o600))
}

// writeCatalogue writes the world's catalogue without its last packages.
func (s *site) writeCatalogue(t *testing.T, without int) {
	t.Helper()
	c := s.world.Catalogue()
	c.Packages = c.Packages[:len(c.Packages)-without]
	var b bytes.Buffer
	must(t, c.WriteNDJSON(&b))
	must(t, os.WriteFile(filepath.Join(s.folder, "catalogue.ndjson"), b.Bytes(), 0o600))
}

// command runs a command of the program on the site.
func (s *site) command(args ...string) (string, error) {
	return program.Run(program.Path(), append(args, "--config", s.config())...)
}

// check reads the file of a daemon that does not run: its pages, and all of it where
// the program has a command for that. A daemon that was killed at once has made none.
func (s *site) check(t *testing.T) {
	t.Helper()
	if info, err := os.Stat(s.database); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return
	}
	db, err := bolt.Open(s.database, 0o600, &bolt.Options{ReadOnly: true, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatalf("open %s: %v", s.database, err)
	}
	err = db.View(func(tx *bolt.Tx) error {
		var all []error
		for err := range tx.Check() {
			all = append(all, err)
		}
		return errors.Join(all...)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatalf("check %s: %v", s.database, err)
	}
	if has("check") {
		if _, err := s.command("check"); err != nil {
			t.Fatal(err)
		}
	}
}

// has reports whether the program has a command.
func has(command string) bool {
	help, _ := program.Run(program.Path(), "help")
	return strings.Contains(help, "\n  "+command+" ")
}

// A daemon is the program while it serves a site.
type daemon struct {
	process *exec.Cmd
	log     *log
	ended   chan struct{} // closed when the process has ended
}

// start starts a daemon and does not wait for it.
func (s *site) start(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{process: exec.Command(s.program, "serve", "--config", s.config()), log: newLog(), ended: make(chan struct{})}
	d.process.Stderr = d.log
	if s.clock != "" {
		d.process.Env = append(os.Environ(), program.ClockFile+"="+s.clock)
	}
	must(t, d.process.Start())
	go func() {
		_ = d.process.Wait()
		close(d.ended)
	}()
	t.Cleanup(func() {
		select {
		case <-d.ended:
			return
		default:
		}
		_ = d.process.Process.Kill()
		<-d.ended
		if t.Failed() {
			t.Logf("the log of process %d ends with:\n%s", d.process.Process.Pid, d.log.tail(20))
		}
	})
	return d
}

// address waits until the daemon serves, and returns its URL.
func (d *daemon) address(t *testing.T) string {
	t.Helper()
	line := d.await(t, 0, "serving http")
	var fields struct{ Listen string }
	must(t, json.Unmarshal([]byte(line), &fields))
	return "http://" + fields.Listen
}

// await returns the first line, of those after a number of them, that contains one of
// the texts.
func (d *daemon) await(t *testing.T, after int, texts ...string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		lines, grown := d.log.after(after)
		for _, line := range lines {
			for _, text := range texts {
				if strings.Contains(line, text) {
					return line
				}
			}
		}
		after += len(lines)
		select {
		case <-grown:
		case <-d.ended:
			t.Fatalf("the daemon ended (%s) without a word of %q:\n%s", d.process.ProcessState, texts, d.log.tail(20))
		case <-deadline:
			t.Fatalf("the daemon did not say a word of %q:\n%s", texts, d.log.tail(20))
		}
	}
}

// kill kills the daemon.
func (d *daemon) kill(t *testing.T) {
	t.Helper()
	must(t, d.process.Process.Kill())
	d.killed(t)
}

// killed waits for the end of a daemon that is being killed.
func (d *daemon) killed(t *testing.T) {
	t.Helper()
	<-d.ended
	status := d.process.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the daemon ended by itself: %s\n%s", d.process.ProcessState, d.log.tail(20))
	}
}

// stop has the daemon stop in order.
func (d *daemon) stop(t *testing.T) {
	t.Helper()
	must(t, d.process.Process.Signal(syscall.SIGTERM))
	select {
	case <-d.ended:
	case <-time.After(patience):
		t.Fatalf("the daemon does not stop:\n%s", d.log.tail(20))
	}
	if !d.process.ProcessState.Success() {
		t.Fatalf("the daemon stopped with %s:\n%s", d.process.ProcessState, d.log.tail(20))
	}
}

// log collects the lines that a daemon writes; the oldest ones are forgotten.
type log struct {
	mu    sync.Mutex
	gone  int      // lines forgotten
	lines []string // complete ones
	part  []byte   // of the next line
	grown chan struct{}
}

func newLog() *log { return &log{grown: make(chan struct{})} }

const logKept = 10000 // lines

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, b...)
	for {
		line, rest, complete := bytes.Cut(l.part, []byte("\n"))
		if !complete {
			break
		}
		l.lines, l.part = append(l.lines, string(line)), rest
	}
	if n := len(l.lines) - logKept; n > 0 {
		l.lines, l.gone = append([]string(nil), l.lines[n:]...), l.gone+n
	}
	close(l.grown)
	l.grown = make(chan struct{})
	return len(b), nil
}

// count is how many lines there have been.
func (l *log) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone + len(l.lines)
}

// after returns the lines after the first n, and what is closed when there are more.
func (l *log) after(n int) ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[min(max(n-l.gone, 0), len(l.lines)):], l.grown
}

func (l *log) tail(n int) string {
	lines, _ := l.after(l.count() - n)
	return strings.Join(lines, "\n")
}
