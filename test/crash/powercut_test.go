package crash

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"pkgmetad/internal/sim"
	"pkgmetad/test/program"
)

// TestPowerCut takes away what a power cut takes away: all that has not reached the
// disk. The disk is an image; its copy, taken while the daemon is stopped in the midst
// of something, is what would be found at the next start. PKGMETAD_CUTS says how often.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	program.NeedRoot(t, "mount")
	program.NeedCommands(t, "mkfs.ext4", "mount", "umount", "cp")
	cuts := program.Number(t, "PKGMETAD_CUTS", 4, 1)
	s, r := newSite(t, sim.Options{Limit: 1 << 30, NoSecondary: true, NoPending: true}), newReader()
	image := filepath.Join(s.folder, "disk.img")
	for _, command := range [][]string{{"truncate", "-s", "64M", image}, {"mkfs.ext4", "-q", "-F", image}} {
		_, err := program.Run(command[0], command[1:]...)
		must(t, err)
	}
	s.database = filepath.Join(s.mount(t, "disk", "-o", "loop", image), "pkgmetad.db")
	s.writeConfig(t)
	d := s.start(t)
	base := d.address(t)
	for cut := range cuts {
		stop := r.follow(base)
		s.week()
		r.awaitNews(t, 1+rand.IntN(3))
		if cut%2 == 1 && has("compact") { // nor may what was there before it be lost by a compaction
			_, err := s.command("compact")
			must(t, err)
		} else {
			time.Sleep(rand.N(300 * time.Millisecond))
		}
		must(t, d.process.Process.Signal(syscall.SIGSTOP))
		must(t, stop())
		copied := filepath.Join(s.folder, fmt.Sprintf("copy%d.img", cut))
		_, err := program.Run("cp", "--sparse=always", image, copied)
		must(t, err)
		must(t, d.process.Process.Signal(syscall.SIGCONT))

		other := *s
		other.folder = t.TempDir()
		other.database = filepath.Join(other.mount(t, "disk", "-o", "loop", copied), "pkgmetad.db")
		other.writeConfig(t)
		other.writeCatalogue(t, 0)
		other.writeToken(t, "a-token")
		other.check(t)
		revived, told := other.start(t), r.clone()
		told.verify(t, revived.address(t))
		revived.kill(t)
		other.check(t)
		_, err = program.Run("umount", filepath.Dir(other.database))
		must(t, err)
		_, err = program.Run("rm", copied)
		must(t, err)
	}
	d.stop(t)
	t.Logf("%d power cuts; %s; lost: nothing", cuts, r.figures())
}

// clone returns a reader that has been told the same.
func (r *reader) clone() *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := newReader()
	c.next = r.next
	for id, x := range r.copy {
		c.copy[id] = x
	}
	return c
}
