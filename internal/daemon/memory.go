package daemon

import (
	"os"
	"runtime/debug"
)

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
