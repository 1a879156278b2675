package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"pkgmetad/internal/record"
)

// hostEnv has the options of the host that this process is to be, and not to test.
const hostEnv = "PKGMETAD_TEST_HOST"

// hostOptions is what such a process is told.
type hostOptions struct {
	Name    string
	Servers map[string]string
	Secret  []byte
	Folder  string
	Silent  bool // publishes nothing
}

// beHost publishes records of its own, a few at a time, and prints the name of each
// that is acknowledged, until it is told to stop.
func beHost(options string) error {
	var o hostOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	n, err := Start(ctx, Options{Name: o.Name, Servers: o.Servers, Secret: o.Secret, Folder: o.Folder})
	if err != nil {
		return err
	}
	for i := 0; ctx.Err() == nil; i++ {
		if o.Silent {
			<-ctx.Done()
			break
		}
		var writes []record.Write
		for j := range 20 {
			writes = append(writes, record.Write{Name: fmt.Sprintf("entry/%s-%d-%d-%d", o.Name, os.Getpid(), i, j), Data: make([]byte, 2000)})
		}
		if _, err := n.Publish(ctx, writes); err != nil {
			continue // ctx ended
		}
		for _, w := range writes {
			fmt.Println(w.Name)
		}
	}
	return n.Close()
}

// A process is a host that can be killed.
type process struct {
	options hostOptions
	command *exec.Cmd
	done    chan struct{}

	mu    sync.Mutex
	acked []string  // by all processes of this host
	last  time.Time // when the last of them was
}

func (p *process) start(t *testing.T) {
	t.Helper()
	options, err := json.Marshal(p.options)
	if err != nil {
		t.Fatal(err)
	}
	p.command = exec.Command(os.Args[0])
	p.command.Env = append(os.Environ(), hostEnv+"="+string(options))
	p.command.Stderr = os.Stderr
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	p.done = make(chan struct{})
	go p.read(out, p.done)
}

func (p *process) read(out io.Reader, done chan struct{}) {
	defer close(done)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		p.mu.Lock()
		p.acked, p.last = append(p.acked, lines.Text()), time.Now()
		p.mu.Unlock()
	}
}

// stop sends a signal and waits for the end.
func (p *process) stop(with os.Signal) {
	if p.command.ProcessState != nil {
		return
	}
	_ = p.command.Process.Signal(with)
	<-p.done
	_ = p.command.Wait()
}

// since reports whether something was acknowledged after a moment.
func (p *process) since(moment time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.After(moment)
}

// rounds returns how often a test that kills does so: by an environment variable,
// for a long run by hand.
func rounds(t *testing.T) int {
	text := os.Getenv("PKGMETAD_TEST_KILLS")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("PKGMETAD_TEST_KILLS=%q is not a number of at least 1", text)
	}
	return n
}

// What was acknowledged is there, whoever is killed; and the others go on.
func TestKilled(t *testing.T) {
	t.Parallel()
	var hosts []*process
	byName := map[string]*process{}
	for _, o := range servers(t, 3) {
		p := &process{options: hostOptions{Name: o.Name, Servers: o.Servers, Secret: o.Secret, Folder: o.Folder}}
		p.start(t)
		defer p.stop(syscall.SIGKILL)
		hosts, byName[o.Name] = append(hosts, p), p
	}
	reader := started(t, Options{Name: "reader", Servers: hosts[0].options.Servers, Secret: hosts[0].options.Secret})
	if err := reader.Wait(patient(t)); err != nil {
		t.Fatal(err)
	}
	f := following(t, reader, "", 0)
	all := func(what string, but *process) {
		t.Helper()
		began := time.Now()
		for _, p := range hosts {
			if p != but {
				eventually(t, p.options.Name+" publishes "+what, func() bool { return p.since(began) })
			}
		}
		t.Logf("all publish %s after %s", what, time.Since(began).Round(100*time.Millisecond))
	}
	all("at first", nil)
	last := rounds(t)
	for round := 1; ; round++ {
		led := byName[leader(t, reader)]
		led.stop(syscall.SIGKILL)
		all("without the leader", led)
		led.start(t)
		all("after its return", nil)
		for _, p := range hosts {
			p.stop(syscall.SIGKILL)
		}
		if round == last {
			break
		}
		for _, p := range hosts {
			p.start(t)
		}
		all("after the death of all", nil)
	}

	for _, p := range hosts {
		p.options.Silent = true // there to be read from
		p.start(t)
	}
	ctx := patient(t)
	there := map[string]bool{}
	if err := reader.Scan(ctx, func(name string, _ uint64, _ time.Time) error { there[name] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	state, err := reader.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.until(state.Last)
	followed := map[string]int{}
	for _, m := range f.messages {
		followed[m.Name]++
	}
	acked := 0
	for _, p := range hosts {
		for _, name := range p.acked {
			if acked++; !there[name] || followed[name] != 1 {
				t.Errorf("%s was acknowledged: it is there %v, and was followed %d times", name, there[name], followed[name])
			}
		}
	}
	for _, p := range hosts {
		if p.stop(syscall.SIGTERM); !p.command.ProcessState.Success() {
			t.Errorf("%s: %s", p.options.Name, p.command.ProcessState)
		}
	}
	if t.Logf("%d acknowledged, %d there", acked, len(there)); acked == 0 || int(state.Count) != len(there) {
		t.Errorf("%d acknowledged, %d there, and %+v", acked, len(there), state)
	}
}
