package crash

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// week lets the world move on by up to two of them.
func (s *site) week() { s.world.Advance(time.Duration(rand.Int64N(int64(14 * 24 * time.Hour)))) }

// TestKilled kills the daemon at random moments: while it starts, while it runs, while it
// compacts its database, right after a refresh on demand has been acknowledged, and, where
// strace is there, at exactly a write or a sync of its database. PKGMETAD_KILLS says how often.
func TestKilled(t *testing.T) {
	t.Parallel()
	kills := program.Number(t, "PKGMETAD_KILLS", 32, 1)
	s, r := newSite(t, sim.Options{Limit: 1 << 30, NoSecondary: true, NoPending: true}), newReader()
	_, err := exec.LookPath("strace")
	traced := err == nil
	var starting, atWrites, atSyncs, refreshes, compacting int
	for kill := range kills {
		d := s.start(t)
		if kill%4 == 0 {
			time.Sleep(rand.N(200 * time.Millisecond))
			d.kill(t)
			s.check(t)
			starting++
			continue
		}
		base := d.address(t)
		r.verify(t, base)
		stop := r.follow(base)
		s.week()
		var slug string
		var began time.Time
		switch {
		case kill%4 == 1 && traced:
			call := [...]string{"pwrite64", "fdatasync"}[kill/4%2]
			inject := s.inject(t, d, fmt.Sprintf("%s:signal=SIGKILL:when=%d", call, 1+rand.IntN(8)))
			select {
			case <-d.ended:
				if call == "pwrite64" {
					atWrites++
				} else {
					atSyncs++
				}
			case <-time.After(5 * time.Second): // strace counts by thread: none may have made so many calls
				must(t, d.process.Process.Kill())
			}
			d.killed(t)
			inject.end()
		case kill%4 == 2:
			slugs := r.fetched()
			if len(slugs) > 0 {
				chosen := slugs[rand.IntN(len(slugs))]
				began = time.Now()
				if said, err := s.command("refresh", chosen); err == nil && acknowledged.MatchString(said) {
					slug = chosen
					refreshes++
				}
			}
			d.kill(t)
		case kill%8 == 3:
			compacted := make(chan error, 1)
			go func() {
				_, err := s.command("compact")
				compacted <- err
			}()
			time.Sleep(rand.N(60 * time.Millisecond)) // the command takes a third of that to reach the daemon, and the daemon as long
			d.kill(t)
			if <-compacted != nil {
				compacting++
			}
		default:
			time.Sleep(rand.N(time.Second))
			d.kill(t)
		}
		must(t, stop())
		s.check(t)
		if slug != "" {
			r.promise(slug, began)
		}
	}
	d := s.start(t)
	r.verify(t, d.address(t))
	d.stop(t)
	s.check(t)
	t.Logf("%d kills: %d while starting, %d at a write, %d at a sync, %d after a refresh, %d before a compaction had ended; %s; lost: nothing",
		kills, starting, atWrites, atSyncs, refreshes, compacting, r.figures())
	if !traced {
		t.Log("none was at exactly a write or a sync: there is no strace here")
	}
}

// acknowledged is what refresh prints when every source of a package was fetched.
var acknowledged = regexp.MustCompile(`, 0 pending, 0 failed, 0 gone, 0 deferred`)

// An injection is strace while it makes system calls on a database fail, or kill.
type injection struct {
	strace *exec.Cmd
	ended  chan struct{}
}

// inject attaches strace to the daemon. The expression is that of strace -e inject; it
// is for calls on the database only. The test is skipped where strace may not attach.
func (s *site) inject(t *testing.T, d *daemon, expression string) *injection {
	t.Helper()
	i := &injection{ended: make(chan struct{})}
	i.strace = exec.Command("strace", "-f", "-o", "/dev/null", "-p", fmt.Sprint(d.process.Process.Pid),
		"-P", s.database, "-e", "trace=pwrite64,fdatasync", "-e", "inject="+expression)
	attached := newLog()
	i.strace.Stderr = attached
	must(t, i.strace.Start())
	go func() {
		_ = i.strace.Wait()
		close(i.ended)
	}()
	t.Cleanup(i.end)
	for deadline := time.After(patience); ; {
		lines, grown := attached.after(0)
		for _, line := range lines {
			if strings.Contains(line, "attached") {
				return i
			}
		}
		select {
		case <-grown:
		case <-i.ended:
			t.Skipf("skipped: strace cannot attach here: %s", attached.tail(3))
		case <-deadline:
			t.Fatalf("strace does not attach: %s", attached.tail(3))
		}
	}
}

// end detaches.
func (i *injection) end() {
	_ = i.strace.Process.Signal(syscall.SIGTERM)
	<-i.ended
}
