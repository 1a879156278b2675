package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"pkgmetad/internal/config"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// isTerminal reports whether a person watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newLogger returns the log that cfg describes, JSON or lines for people, and what
// changes its least level.
func newLogger(cfg config.Log, w io.Writer) (log zerolog.Logger, setLevel func(zerolog.Level)) {
	if cfg.Format == "console" || cfg.Format == "auto" && isTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w), FormatPrepare: dropZeroCounts}
	}
	out := &logWriter{w: w}
	out.least.Store(int32(logLevel(cfg)))
	return zerolog.New(out).With().Timestamp().Logger(), func(level zerolog.Level) { out.least.Store(int32(level)) }
}

// dropZeroCounts takes what did not occur out of the line of a pass: a person looks for what
// did. No other line has the number of sources that were asked.
func dropZeroCounts(line map[string]any) error {
	if _, isPass := line["asked"]; isPass {
		maps.DeleteFunc(line, func(_ string, value any) bool { return value == json.Number("0") })
	}
	return nil
}

// logLevel returns the least level that cfg wants logged.
func logLevel(cfg config.Log) zerolog.Level {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil { // the configuration is checked; a level from elsewhere is not
		return zerolog.InfoLevel
	}
	return level
}

// logWriter keeps the lines of several goroutines apart, and drops those below a level.
type logWriter struct {
	least atomic.Int32 // a zerolog.Level
	mu    sync.Mutex
	w     io.Writer // guarded by mu
}

func (l *logWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *logWriter) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if level < zerolog.Level(l.least.Load()) {
		return len(p), nil
	}
	return l.Write(p)
}
