package program

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// NeedRoot skips the test where it is not run by root, who alone may do what it says.
func NeedRoot(t testing.TB, why string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skipf("skipped: only root may %s", why)
	}
}

// NeedCommands skips the test where the machine lacks a command.
func NeedCommands(t testing.TB, commands ...string) {
	t.Helper()
	for _, command := range commands {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("skipped: there is no %s here", command)
		}
	}
}

// Mount mounts something at a folder that exists, for as long as the test runs. The arguments
// are those of mount. Where that is not possible, the test is skipped.
func Mount(t testing.TB, at string, args ...string) {
	t.Helper()
	if _, err := Run("mount", append(args, at)...); err != nil {
		t.Skipf("skipped: this machine cannot mount it: %v", err)
	}
	t.Cleanup(func() { _, _ = Run("umount", "-l", at) })
}

// FillDisk writes a file that takes all the room that is left where it is.
func FillDisk(t testing.TB, ballast string) {
	t.Helper()
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
}

// zeros is a reader of zeros without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
