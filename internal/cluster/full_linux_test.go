package cluster

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"pkgmetad/internal/record"

	"github.com/rs/zerolog"
)

// A host whose disk is full leaves the writing to the others, and joins them again
// when there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	all := servers(t, 3)
	small := all[0].Folder
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	var log logged
	all[0].Log = zerolog.New(&log).Level(zerolog.WarnLevel)
	all[0].retry = 2 * time.Second
	nodes := together(t, all)
	var last uint64
	write := record.Write{Name: "entry/large", Data: make([]byte, 256<<10)}
	for range 40 {
		last = published(t, nodes[1], write)
		write.Expect = last
	}
	other := following(t, nodes[0], "", 0)
	other.until(last)
	eventually(t, "the server has given up", func() bool { return !nodes[0].server.stores() })
	eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "most likely because the disk is full") })
	// What the server has given up, the host can do by the others' help.
	last = published(t, nodes[0], record.Write{Name: "entry/small", Data: []byte("x")})

	if err := syscall.Mount("tmpfs", small, "tmpfs", syscall.MS_REMOUNT, "size=100m"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server stores again", nodes[0].server.stores)
	f := following(t, nodes[0], "", 0)
	f.until(last)
	eventually(t, "all three have the records", func() bool {
		info, err := leaderInfo(patient(t), nodes[1].found.Load().records)
		if err != nil {
			return false
		}
		for _, replica := range info.Cluster.Replicas {
			if !replica.Current || replica.Active > time.Second {
				return false
			}
		}
		return len(info.Cluster.Replicas) == 2
	})
}
