package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a server that this program started.
type process struct {
	name    string
	address string // host:port that it listens on
	log     string // path of its stdout and stderr
	cmd     *exec.Cmd
	ended   chan struct{} // closed when it has ended
	err     error         // of its end; read only after ended is closed
	stopped bool
}

// start starts a server with additional environment variables. It runs until stop
// or stopAll, or until ctx ends.
func (b *bench) start(ctx context.Context, name, address, log string, env []string, argv ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{name: name, address: address, log: log, ended: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 20 * time.Second
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	b.processes = append(b.processes, p)
	return p, nil
}

// stop sends the process SIGTERM and waits for it to end.
func (p *process) stop() error {
	if p.stopped {
		return nil
	}
	p.stopped = true
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	<-p.ended
	if p.err != nil && !errors.Is(p.err, context.Canceled) {
		return fmt.Errorf("%s ended: %w; see %s", p.name, p.err, p.log)
	}
	return nil
}

// stopAll stops all processes, the latest first.
func (b *bench) stopAll() (err error) {
	for _, p := range slices.Backward(b.processes) {
		err = errors.Join(err, p.stop())
	}
	return err
}

// waitFor waits until the server answers 200 at a path.
func (p *process) waitFor(ctx context.Context, path string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for {
		resp, err := client.Get("http://" + p.address + path)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // only the status matters
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %v; see %s", p.name, p.err, p.log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

// quiet waits until the process has used less than a twentieth of a CPU for three
// seconds: then its work in the background is done.
func (p *process) quiet(ctx context.Context) error {
	const window, windows = time.Second, 3
	for calm, before := 0, p.cpu(); calm < windows; {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %v; see %s", p.name, p.err, p.log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(window):
		}
		used := p.cpu()
		if calm++; used-before > window/20 {
			calm = 0
		}
		before = used
	}
	return nil
}

// cpu returns the CPU time that the process and its children have used.
func (p *process) cpu() time.Duration {
	pid := p.cmd.Process.Pid
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	total := time.Duration(0)
	for _, pid := range append(strings.Fields(string(children)), strconv.Itoa(pid)) {
		total += cpuOf(pid)
	}
	return total
}

func cpuOf(pid string) time.Duration {
	const ticks = 100 // a second: USER_HZ of Linux, whatever the frequency of its timer
	data, _ := os.ReadFile("/proc/" + pid + "/stat")
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticks
}

// status returns a field of /proc/PID/status that is in kB, converted to bytes.
func (p *process) status(field string) int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}

// freeAddress returns a local address with a free port.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
