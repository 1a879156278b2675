package api

import (
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// toldAMinute is how many lines of one sort are logged in a minute: while a store is
// damaged, readers may ask thousands of times a second, and the log must not fill the disk.
const toldAMinute = 10

// moderation says which lines of one sort are logged.
type moderation struct {
	mu      sync.Mutex
	minute  time.Time // when the present minute began
	told    int       // lines in it that were logged
	leftOut int       // those that were not, since the last one that was
}

// of returns the line, with how many were left out before it; nil, which logs nothing, if
// it is one too many itself.
func (m *moderation) of(line *zerolog.Event) *zerolog.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.minute) >= time.Minute {
		m.minute, m.told = now, 0
	}
	if m.told >= toldAMinute {
		m.leftOut++
		return nil
	}
	if m.told++; m.leftOut > 0 {
		line, m.leftOut = line.Int("left_out", m.leftOut), 0
	}
	return line
}

// failures logs why requests could not be answered.
type failures struct {
	log  zerolog.Logger
	told moderation
}

// note logs that r failed with err.
func (f *failures) note(r *http.Request, err error, message string) {
	f.told.of(f.log.Error()).Err(err).Str("method", r.Method).Str("path", r.URL.Path).Msg(message)
}
