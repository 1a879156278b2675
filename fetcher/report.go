package fetcher

import (
	"strings"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// SourceTally is a Tally of one upstream, with what it cost.
type SourceTally struct {
	record.Tally
	Requests int       `json:"requests"`          // HTTP requests, redirects included
	Charged  int       `json:"charged,omitempty"` // of these, those that count against a budget
	Hold     time.Time `json:"hold,omitzero"`     // what a limit deferred is due then
	Reason   string    `json:"reason,omitempty"`  // of the hold
}

// Report says what a pass did.
type Report struct {
	record.Tally               // by package
	GitHub       SourceTally   `json:"github"`
	PyPI         SourceTally   `json:"pypi"`
	Started      time.Time     `json:"started"`
	Duration     time.Duration `json:"duration_ns"`
	Left         int           `json:"left,omitempty"`      // packages that it did not get to; still due
	More         bool          `json:"more,omitempty"`      // there was more to do than one pass takes
	Cancelled    bool          `json:"cancelled,omitempty"` // it ended before its end
}

// Resume returns when it is worth going on with what the pass deferred or did
// not get to: zero when there is no such thing.
func (r *Report) Resume() time.Time {
	at := r.GitHub.Hold
	if at.IsZero() || !r.PyPI.Hold.IsZero() && r.PyPI.Hold.Before(at) {
		at = r.PyPI.Hold
	}
	if r.More {
		return r.Started
	}
	return at
}

// The words that a package or a source is counted under.
const (
	wordFresh     = "fresh"
	wordUnchanged = "unchanged"
	wordPending   = "pending"
	wordFailed    = "failed"
	wordGone      = "gone"
	wordDeferred  = "deferred"
	wordAbandoned = "abandoned"
)

// severity orders the words: a package counts under its worse half's.
var severity = map[string]int{wordUnchanged: 1, wordFresh: 2, wordPending: 3, wordGone: 4, wordDeferred: 5, wordAbandoned: 6, wordFailed: 7}

func word(o upstream.Outcome) string {
	switch o {
	case upstream.Fresh, upstream.Empty, upstream.TooLarge:
		return wordFresh
	case upstream.Unchanged:
		return wordUnchanged
	case upstream.Pending, upstream.Doubtful:
		return wordPending
	case upstream.Gone, upstream.Blocked:
		return wordGone
	case upstream.Limited:
		return wordDeferred
	case upstream.Canceled:
		return wordAbandoned
	}
	return wordFailed
}

func addTo(t *record.Tally, word string) {
	t.Asked++
	switch word {
	case wordFresh:
		t.Fresh++
	case wordUnchanged:
		t.Unchanged++
	case wordPending:
		t.Pending++
	case wordGone:
		t.Gone++
	case wordDeferred:
		t.Deferred++
	case wordAbandoned:
		t.Abandoned++
	default:
		t.Failed++
	}
}

// count enters a finished job into the report, logs what is worth telling of
// it, and tells the one who watches.
func (p *pass) count(j *job) {
	worst, trouble := "", []string(nil)
	enter := func(source string, tally *SourceTally, before record.Status, outcome upstream.Outcome, err *upstream.Error) {
		w := word(outcome)
		addTo(&tally.Tally, w)
		if severity[w] > severity[worst] {
			worst = w
		}
		if outcome == upstream.Limited && err != nil {
			tally.hold(err.RetryAt, err.Message)
		}
		if err != nil && outcome != upstream.Pending && outcome != upstream.Canceled {
			trouble = append(trouble, err.Error())
		}
		p.logSource(j.prev.Slug, source, before, outcome, err)
	}
	if j.repo != nil {
		outcome, err := verdict(j.repo)
		p.report.GitHub.Requests += j.repo.Requests
		p.report.GitHub.Charged += j.repo.Charged
		enter("github", &p.report.GitHub, j.prev.GitHub, outcome, err)
	}
	if j.release != nil {
		p.report.PyPI.Requests += j.release.Requests
		enter("pypi", &p.report.PyPI, j.prev.PyPI, j.release.Outcome, j.release.Err)
	}
	if worst == "" { // taken, but nothing of it is to be asked
		return
	}
	addTo(&p.report.Tally, worst)
	if p.progress != nil {
		p.progress(Progress{Done: p.report.Asked, Total: p.total, Slug: j.prev.Slug, Outcome: worst, Error: strings.Join(trouble, "; ")})
	}
}

// hold notes until when questions were deferred, or all are: the latest counts.
func (t *SourceTally) hold(until time.Time, reason string) {
	if until.After(t.Hold) {
		t.Hold, t.Reason = until, reason
	}
}

// logSource writes a line for one source of one package: a warning where it
// failed, a word where it went or came back, else only for who looks closely.
// What a limit defers is told once, in the line of the pass.
func (p *pass) logSource(slug, source string, before record.Status, outcome upstream.Outcome, err *upstream.Error) {
	w := word(outcome)
	level, message := zerolog.DebugLevel, w
	switch {
	case w == wordFailed:
		level, message = zerolog.WarnLevel, "failed, the data of the last success stays"
	case w == wordGone && before.State != record.StateGone && before.State != record.StateBlocked:
		level, message = zerolog.WarnLevel, "gone, the data of the last success stays"
	case w == wordPending:
		message = "still being computed, asked again later"
	case outcome.Answered() && before.Failures > 0:
		level, message = zerolog.InfoLevel, "answers again"
	}
	if level < p.Log.GetLevel() {
		return
	}
	e := p.Log.WithLevel(level).Str("slug", slug).Str("source", source)
	if err != nil {
		e = e.Str("error", err.Error())
	}
	e.Msg(message)
}

// finish completes the report and logs it in one line.
func (p *pass) finish(err error) (Report, error) {
	r := &p.report
	r.Duration = time.Since(r.Started)
	r.GitHub.hold(p.GitHub.Hold())
	r.PyPI.hold(p.PyPI.Hold())
	level := zerolog.InfoLevel
	if r.Asked == 0 {
		level = zerolog.DebugLevel // nothing was due: no news
	}
	if err != nil {
		level = zerolog.ErrorLevel
	}
	if level < p.Log.GetLevel() {
		return *r, err
	}
	e := p.Log.WithLevel(level).Err(err).
		Int("asked", r.Asked).Int("fresh", r.Fresh).Int("unchanged", r.Unchanged).Int("pending", r.Pending).
		Int("failed", r.Failed).Int("gone", r.Gone).Int("deferred", r.Deferred).
		Int("github_requests", r.GitHub.Requests).Int("github_charged", r.GitHub.Charged).
		Int("pypi_requests", r.PyPI.Requests).Int("pypi_charged", r.PyPI.Charged).
		Stringer("took", r.Duration.Round(time.Millisecond))
	for source, t := range map[string]SourceTally{"github": r.GitHub, "pypi": r.PyPI} {
		if !t.Hold.IsZero() {
			e = e.Time(source+"_hold", t.Hold).Str(source+"_hold_reason", t.Reason)
		}
	}
	switch {
	case r.Cancelled:
		e.Int("abandoned", r.Abandoned+r.Left).Msg("pass ended early; what had arrived is stored")
	case r.More:
		e.Msg("pass done, more is due")
	default:
		e.Msg("pass done")
	}
	return *r, err
}
