package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// A trouble keeps a daemon from writing its database.
type trouble struct {
	name  string
	says  string                       // what the log must tell
	begin func(d *daemon) (end func()) // ends when end is called
}

// endure has a daemon live through troubles, one after the other: it goes on serving
// and says what is wrong, what it ever acknowledged stays, also if it is killed then,
// and it writes again afterwards.
func (s *site) endure(t *testing.T, troubles []trouble) {
	t.Helper()
	r := newReader()
	d := s.start(t)
	base := d.address(t)
	stop := r.follow(base)
	reads := s.read(t, base)
	r.awaitNews(t, 3)
	for _, trouble := range troubles {
		said := d.log.count()
		end := trouble.begin(d)
		s.week()
		d.await(t, said, trouble.says)
		r.alive(t, base)
		end()
		s.week()
		r.awaitNews(t, 3) // the first may be of a commit whose outcome was unknown
	}
	served := reads()
	must(t, stop())
	d.kill(t)
	s.check(t)
	d = s.start(t)
	r.verify(t, d.address(t))
	d.stop(t)
	s.check(t)
	t.Logf("%d troubles, %d pages read throughout; %s; lost: nothing", len(troubles), served, r.figures())
}

// read asks for pages until stop is called, all of which must be served.
func (s *site) read(t *testing.T, base string) (stop func() int) {
	done, n := make(chan struct{}), 0
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			for _, path := range [...]string{"/api/v4/packages/1609/", "/api/v4/packages/?limit=50", "/livez"} {
				select {
				case <-done:
					return
				case <-time.After(50 * time.Millisecond):
				}
				if _, err := get(t.Context(), base+path); err != nil {
					t.Errorf("while it cannot write: %v", err)
					return
				}
				n++
			}
		}
	})
	return func() int {
		close(done)
		reading.Wait()
		return n
	}
}

// alive asks for every package of the copy.
func (r *reader) alive(t *testing.T, base string) {
	t.Helper()
	for _, slug := range r.fetched() {
		if _, err := get(t.Context(), base+"/api/v4/packages/"+slug+"/"); err != nil {
			t.Fatalf("while it cannot write: %v", err)
		}
	}
}

const (
	noSpace = "no space left on device"
	ioError = "input/output error"
)

// TestSystemCallsFail makes writes and syncs of the database fail, all of them for a
// while, or every third.
func TestSystemCallsFail(t *testing.T) {
	t.Parallel()
	program.NeedCommands(t, "strace")
	s := newSite(t, sim.Options{Limit: 1 << 30, NoSecondary: true, NoPending: true})
	var troubles []trouble
	for _, x := range []struct{ call, errno, says string }{
		{"fdatasync", "EIO", ioError}, {"pwrite64", "ENOSPC", noSpace}, {"pwrite64", "EIO", ioError}, {"fdatasync", "ENOSPC", noSpace},
	} {
		for _, when := range []string{"1+", "2+3"} {
			expression := fmt.Sprintf("%s:error=%s:when=%s", x.call, x.errno, when)
			troubles = append(troubles, trouble{expression, x.says, func(d *daemon) func() { return s.inject(t, d, expression).end }})
		}
	}
	s.endure(t, troubles)
}

// TestDiskFull fills the disk under a running daemon, and makes room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	program.NeedRoot(t, "mount")
	program.NeedCommands(t, "mount", "umount")
	s := newSite(t, sim.Options{Limit: 1 << 30, NoSecondary: true, NoPending: true})
	disk := s.mount(t, "disk", "-t", "tmpfs", "-o", "size=16m", "tmpfs")
	s.database = filepath.Join(disk, "pkgmetad.db")
	s.writeConfig(t)
	full := trouble{"a full disk", noSpace, func(*daemon) func() {
		ballast := filepath.Join(disk, "ballast")
		program.FillDisk(t, ballast)
		return func() { must(t, os.Remove(ballast)) }
	}}
	s.endure(t, []trouble{full, full, full})
}

// mount mounts something below the site's folder, as program.Mount does, and returns where.
func (s *site) mount(t *testing.T, name string, args ...string) string {
	t.Helper()
	at := filepath.Join(s.folder, name)
	must(t, os.MkdirAll(at, 0o700))
	program.Mount(t, at, args...)
	return at
}
