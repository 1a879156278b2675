package store

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// lockHolder returns the process that holds the lock on path, as it follows in a
// message: ": process 4711 (pkgmetad)", or "" if the kernel does not report it.
func lockHolder(path string) string {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return ""
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer locks.Close()
	// 1: FLOCK  ADVISORY  WRITE 4711 fd:01:1835010 0 EOF
	inode := fmt.Sprintf(":%d", st.Ino)
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], inode) {
			continue
		}
		name, err := os.ReadFile("/proc/" + f[4] + "/comm")
		if err != nil {
			return ": process " + f[4]
		}
		return fmt.Sprintf(": process %s (%s)", f[4], strings.TrimSpace(string(name)))
	}
	return ""
}
