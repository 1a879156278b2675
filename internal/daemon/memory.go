package daemon

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// What a daemon may take of memory before it collects garbage more eagerly, whatever
// gcPercent says: nine tenths of what the control group allows, or defaultLimit where
// it sets no limit. It is no hard bound. GOMEMLIMIT in the environment comes first.
const (
	limitShare   = 0.9
	defaultLimit = 1 << 30 // bytes
)

// setMemoryLimit sets that limit, in bytes, and returns what takes it back.
func setMemoryLimit() (restore func()) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	limit := int64(defaultLimit)
	if bytes, err := memlimit.ApplyRatio(memlimit.FromCgroup, limitShare)(); err == nil && bytes <= math.MaxInt64 {
		limit = int64(bytes)
	}
	before := debug.SetMemoryLimit(limit)
	return func() { debug.SetMemoryLimit(before) }
}

// gcPercent is how much garbage may pile up in a running daemon, in per cent of
// what lives. Little lives: to collect as eagerly as Go does by default costs more
// than it saves.
const gcPercent = 400

// setGC sets how much garbage may pile up, unless the environment says it, and
// returns what takes it back.
func setGC(percent int) (restore func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(before) }
}
