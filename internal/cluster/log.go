package cluster

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// A serverLog is where the embedded server logs: what it says of itself is for
// debugging, and what others do wrong again and again is said once.
type serverLog struct {
	log zerolog.Logger
	once

	mu        sync.Mutex
	died      error
	quarrel   string // the last refusal between this server and another host
	quarrelAt time.Time
}

func newServerLog(log zerolog.Logger) *serverLog {
	return &serverLog{log: log.With().Str("part", "embedded server").Logger()}
}

func (l *serverLog) Tracef(format string, v ...any)  { l.log.Trace().Msgf(format, v...) }
func (l *serverLog) Debugf(format string, v ...any)  { l.log.Debug().Msgf(format, v...) }
func (l *serverLog) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l *serverLog) Warnf(format string, v ...any)   { l.say(zerolog.WarnLevel, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.say(zerolog.ErrorLevel, format, v) }

// Fatalf notes what keeps the server from running. The process goes on: whoever
// started the server reads it from fatal.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	if l.died == nil {
		l.died = fmt.Errorf(format, v...)
	}
	l.mu.Unlock()
	l.say(zerolog.ErrorLevel, format, v)
}

func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.died
}

// quarrelLasts is for how long a refusal may be why the others are not reached: servers
// try again every few seconds.
const quarrelLasts = 30 * time.Second

func (l *serverLog) quarrelled(message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quarrel, l.quarrelAt = message, time.Now()
}

// refusal returns what was refused lately between this server and another host; "" for nothing.
func (l *serverLog) refusal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.quarrelAt) > quarrelLasts {
		return ""
	}
	return l.quarrel
}

// ofPeer matches what a connection logs: `10.0.0.9:41234 - rid:7 - what happened`, and
// perhaps the name and version of a client before that.
var ofPeer = regexp.MustCompile(`^(.+?):\d+ - \w+:\d+ - (?:"[^"]*" - )?(.*)$`)

// routine is how warnings and errors of the server begin that tell of what is normal here: of
// other hosts that are not there yet or away, which [Node.Reach] tells, and of passwords that
// are made from the secret at each start, and stand in no file.
var routine = []string{
	"Plaintext passwords detected", "Waiting for routing to be established", "JetStream has not established contact",
	"JetStream is not current", "JetStream stream ", "JetStream cluster ", "Error trying to connect to route", "Healthcheck failed", "RAFT ",
	"Catchup for", "Route RTT", "Route Error 'Stale Connection'", "Error reading from connection", "Error flushing",
	"Metalayer blocking snapshot", "Failed to install snapshot", "Consumer assignment", "Stream assignment",
}

// recovery matches what a server says after a kill, before it reads what it has again.
var recovery = regexp.MustCompile(`^Filestore \[[^]]*\] (Stream state outdated|Recovering stream state from index)`)

func (l *serverLog) say(level zerolog.Level, format string, v []any) {
	text, host := fmt.Sprintf(format, v...), ""
	if m := ofPeer.FindStringSubmatch(text); m != nil {
		host, text = m[1], m[2]
	}
	message := text
	switch {
	case slices.ContainsFunc(routine, func(begin string) bool { return strings.HasPrefix(text, begin) }), recovery.MatchString(text):
		level = zerolog.DebugLevel
	case host == "":
	case strings.HasPrefix(text, "authentication error"):
		level, message = zerolog.WarnLevel, host+" was refused, because it has another secret than this host: it is a stranger, or cluster.secret_file is not the same on all hosts"
		l.quarrelled(message)
	case strings.HasPrefix(text, "Route Error 'Authorization Violation'"):
		level, message = zerolog.WarnLevel, "the server at "+host+" refuses this one: cluster.secret_file is not the same on both"
		l.quarrelled(message)
	case strings.Contains(text, "TLS") && strings.Contains(text, "handshake error"):
		level, message = zerolog.WarnLevel, "no encrypted connection with "+host+", which is refused: "+text
		l.quarrelled(message)
	default:
		message = host + ": " + text
	}
	if !l.first(message, time.Now()) {
		level = zerolog.DebugLevel
	}
	l.log.WithLevel(level).Msg(message)
}

// quiet is for how long a message is not seen before it is news again.
const quiet = time.Hour

// once tells messages that are news from their repetitions. Its zero value is ready.
type once struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// counters match what differs between repetitions: ports that change with every
// connection, and numbers of attempts.
var counters = regexp.MustCompile(`:\d{4,5}\b|attempt \d+|\b[a-z]id:\d+`)

// first reports whether no message like this one was seen for a while.
func (o *once) first(message string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := counters.ReplaceAllString(message, "")
	last, repeated := o.seen[key]
	if len(o.seen) >= 1000 && !repeated { // strangers must not fill the memory, nor the log
		for k, at := range o.seen {
			if now.Sub(at) > quiet {
				delete(o.seen, k)
			}
		}
		if len(o.seen) >= 1000 {
			return false
		}
	}
	if o.seen == nil {
		o.seen = map[string]time.Time{}
	}
	o.seen[key] = now
	return !repeated || now.Sub(last) > quiet
}
