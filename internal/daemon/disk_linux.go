package daemon

import (
	"path/filepath"
	"syscall"
)

// diskFree returns how many bytes are free for this program where the file at path
// is; ok is false if that is not known.
func diskFree(path string) (bytes uint64, ok bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}
