package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pkgmetad/test/program"
)

// A host is one of a site's: a folder with configuration, token and store, and at times a
// process. Tests use it from one goroutine; up is for readers too.
type host struct {
	site    *site
	name    string
	folder  string
	listen  string // of the API
	program string
	workers int
	stale   time.Duration // age at which a source is due again
	clock   string        // file that says how wrong the host's clock is; "" for none
	secret  string        // file with the secret

	certificate string // name of the files of the certificate; "none" for none
	empty       bool   // it has no records yet, and need not answer before it has joined

	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	from    int64         // where the log of this process begins

	mu      sync.Mutex
	upSince time.Time // since when its API is to answer; zero while it need not
}

func (h *host) path(name string) string { return filepath.Join(h.folder, name) }
func (h *host) config() string          { return h.path("config.yaml") }
func (h *host) url() string             { return "http://" + h.listen }

func (h *host) configure(t *testing.T) {
	t.Helper()
	s := h.site
	tls, section := "", ""
	if s.tls && h.certificate != "none" {
		tls = fmt.Sprintf(", tls: {cert: ../%[1]s.pem, key: ../%[1]s-key.pem, ca: ../%[1]s-ca.pem}", h.certificate)
	}
	if !s.alone {
		section = fmt.Sprintf("cluster: {name: %s, servers: {%s}, secret_file: %s%s}", h.name, strings.Join(s.servers, ", "), h.secret, tls)
	}
	must(t, os.WriteFile(h.config(), fmt.Appendf(nil, `
store: {path: store/pkgmetad.db}
http: {listen: %q, public_url: "https://packages.example.org", max_limit: 0}
catalogue: {path: ../catalogue.ndjson}
schedule: {refresh: "@every 1s"}
refresh: {stale_after: %s, retry_min: 1s, retry_max: 2s, workers: %d}
github: {base_url: %q, url_host: github.com, token_file: token, timeout: 10s}
pypi: {base_url: %[4]q, contact: ops@example.org, timeout: 10s, concurrency: %d, rate: 0}
log: {format: json, level: %s}
%s
`, h.listen, h.stale, h.workers, s.upstream, s.pypi, level(), section), 0o600))
}

// level is the level of the hosts' logs: PKGMETAD_LOG, by default info.
func level() string { return cmp.Or(os.Getenv("PKGMETAD_LOG"), "info") }

// start starts the host, and waits until it serves.
func (h *host) start(t *testing.T) {
	t.Helper()
	h.begin(t)
	h.serving(t)
}

// begin starts the host, and waits for nothing.
func (h *host) begin(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(h.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer log.Close()
	info, err := log.Stat()
	must(t, err)
	h.from = info.Size()
	args := []string{h.program, "serve", "--config", h.config()}
	if n := h.site.network; n != nil {
		args = append(n.inside(h), args...)
	}
	h.process = exec.Command(args[0], args[1:]...)
	h.process.Stderr = log
	if h.clock != "" {
		h.process.Env = append(os.Environ(), program.ClockFile+"="+h.clock)
	}
	must(t, h.process.Start())
	process, ended := h.process, make(chan struct{})
	h.ended = ended
	go func() {
		_ = process.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		select {
		case <-ended:
		default:
			h.down()
			_ = process.Process.Signal(syscall.SIGCONT)
			_ = process.Process.Kill()
			<-ended
		}
	})
}

// serving waits until the host serves. From then on its API is to answer, if it has records.
func (h *host) serving(t *testing.T) {
	t.Helper()
	h.says(t, "serving http")
	if !h.empty {
		h.answers()
	}
}

// answers notes that the API is to answer from now on.
func (h *host) answers() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.upSince = time.Now()
}

// joined waits until the host has come to where the others are.
func (h *host) joined(t *testing.T) {
	t.Helper()
	h.says(t, "this host has what the others have")
	if !h.empty {
		return
	}
	eventually(t, patience, func() error { // there may have been nothing to have yet
		a, err := h.get(t.Context(), "/readyz", "")
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("host %s is not ready: %s", h.name, a.body)
		}
		return err
	})
	h.empty = false
	h.answers()
}

// down notes that the API need not answer from now on.
func (h *host) down() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.upSince = time.Time{}
}

// up returns since when the API is to answer; zero if it need not.
func (h *host) up() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.upSince
}

// alive reports whether the host has a process.
func (h *host) alive() bool {
	if h.ended == nil {
		return false
	}
	select {
	case <-h.ended:
		return false
	default:
		return true
	}
}

// kill kills the host with SIGKILL.
func (h *host) kill(t *testing.T) {
	t.Helper()
	h.down()
	must(t, h.process.Process.Kill())
	<-h.ended
	status := h.process.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("host %s ended by itself: %s\n%s", h.name, h.process.ProcessState, h.tail(20))
	}
}

// pause has the host hang, and resume go on.
func (h *host) pause(t *testing.T) {
	t.Helper()
	h.down()
	must(t, h.process.Process.Signal(syscall.SIGSTOP))
}

func (h *host) resume(t *testing.T) {
	t.Helper()
	must(t, h.process.Process.Signal(syscall.SIGCONT))
	h.answers()
}

// stop stops the host in order.
func (h *host) stop(t *testing.T) {
	t.Helper()
	h.signalStop(t)
	h.stopped(t)
}

func (h *host) signalStop(t *testing.T) {
	t.Helper()
	h.down()
	must(t, h.process.Process.Signal(syscall.SIGTERM))
}

func (h *host) stopped(t *testing.T) {
	t.Helper()
	select {
	case <-h.ended:
	case <-time.After(patience):
		t.Fatalf("host %s does not stop:\n%s", h.name, h.tail(20))
	}
	if !h.process.ProcessState.Success() {
		t.Fatalf("host %s stopped with %s:\n%s", h.name, h.process.ProcessState, h.tail(20))
	}
}

// reload has the host read its configuration and catalogue again.
func (h *host) reload(t *testing.T) {
	t.Helper()
	must(t, h.process.Process.Signal(syscall.SIGHUP))
}

// wipe removes all that the host has stored, as when its disk is replaced. It must not run.
func (h *host) wipe(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(h.path("store")))
	must(t, os.MkdirAll(h.path("store"), 0o700))
	h.empty = true
}

// keep copies what the host has stored, and rollBack puts that copy, or a part of it, in the
// place of what it has stored since. It must not run.
func (h *host) keep(t *testing.T) {
	t.Helper()
	must(t, os.RemoveAll(h.path("kept")))
	must(t, os.CopyFS(h.path("kept"), os.DirFS(h.path("store"))))
}

func (h *host) rollBack(t *testing.T, part string) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(h.path("store"), part)))
	must(t, os.CopyFS(filepath.Join(h.path("store"), part), os.DirFS(filepath.Join(h.path("kept"), part))))
}

// command runs a command of the program on the host, which may take a minute.
func (h *host) command(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, h.program, append(args, "--config", h.config())...).CombinedOutput()
	return string(out), err
}

// logged returns what the host has logged since a place in its log; 0 for all.
func (h *host) logged(from int64) string {
	log, err := os.ReadFile(h.path("log"))
	if err != nil || from > int64(len(log)) {
		return ""
	}
	return string(log[from:])
}

// mark returns where the log ends now.
func (h *host) mark() int64 {
	info, err := os.Stat(h.path("log"))
	if err != nil {
		return 0
	}
	return info.Size()
}

func (h *host) tail(lines int) string {
	all := strings.Split(strings.TrimSpace(h.logged(0)), "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

// says waits until this process of the host has logged a text.
func (h *host) says(t *testing.T, text string) { t.Helper(); h.saysSince(t, h.from, text) }

func (h *host) saysSince(t *testing.T, from int64, text string) {
	t.Helper()
	eventually(t, patience, func() error {
		if strings.Contains(h.logged(from), text) {
			return nil
		}
		if !h.alive() {
			t.Fatalf("host %s ended (%s) without a word of %q:\n%s", h.name, h.process.ProcessState, text, h.tail(20))
		}
		return fmt.Errorf("host %s has not said a word of %q", h.name, text)
	})
}

// client asks hosts. Its connections do not outlive a request, as hosts do not live long.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, MaxIdleConnsPerHost: -1}}

// An answer is what a host answers a GET with.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// get asks the host for a path; accept is a media type, or "".
func (h *host) get(ctx context.Context, path, accept string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url()+path, nil)
	if err != nil {
		return answer{}, err
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, body}, err
}

// read reads JSON that the host answers with.
func (h *host) read(ctx context.Context, path string, into any) error {
	a, err := h.get(ctx, path, "application/json")
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%d: %s", a.status, bytes.TrimSpace(a.body))
	}
	if err == nil {
		err = json.Unmarshal(a.body, into)
	}
	if err != nil {
		err = fmt.Errorf("host %s: %s: %w", h.name, path, err)
	}
	return err
}

// states count the packages of one service by the state of their source.
type states struct {
	States []struct {
		State    string
		Packages int
	}
}

// in returns how many are in one of some states.
func (s states) in(states ...string) (n int) {
	for _, x := range s.States {
		if slices.Contains(states, x.State) {
			n += x.Packages
		}
	}
	return n
}

// unfinished returns how many sources are still to be asked about, or are to be asked again
// as that failed.
func (s states) unfinished() (n int) { return s.in("new", "pending", "failed") }

// lists returns nil when the host has so many packages.
func (h *host) lists(packages int) error {
	var status struct{ Packages int }
	err := h.read(context.Background(), "/status/", &status)
	if err == nil && status.Packages != packages {
		err = fmt.Errorf("host %s has %d packages, of %d", h.name, status.Packages, packages)
	}
	return err
}

// done returns nil when the host has so many packages, and all of them were asked about.
func (h *host) done(packages int) error {
	var status struct {
		Packages     int
		GitHub, PyPI states
	}
	if err := h.read(context.Background(), "/status/", &status); err != nil {
		return err
	}
	if n := status.GitHub.unfinished() + status.PyPI.unfinished(); n > 0 || status.Packages != packages {
		return fmt.Errorf("on host %s, %d sources of %d packages, of %d, are not done", h.name, n, status.Packages, packages)
	}
	return nil
}

// allDone waits until all hosts that run have so many packages, and all of them were asked
// about.
func (s *site) allDone(t *testing.T, packages int) time.Duration {
	t.Helper()
	return eventually(t, patience, func() error {
		var errs []error
		for _, h := range s.running() {
			errs = append(errs, h.done(packages))
		}
		return errors.Join(errs...)
	})
}
