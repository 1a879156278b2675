package fetcher

import (
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

// The words that a source is counted under.
const (
	wordFresh     = "fresh"
	wordUnchanged = "unchanged"
	wordPending   = "pending"
	wordFailed    = "failed"
	wordGone      = "gone"
	wordDeferred  = "deferred"
	wordAbandoned = "abandoned"
)

func word(o upstream.Outcome) string {
	switch o {
	case upstream.Fresh, upstream.Empty, upstream.TooLarge:
		return wordFresh
	case upstream.Unchanged:
		return wordUnchanged
	case upstream.Pending, upstream.Doubtful, upstream.Stale:
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
	use, outcome, err := &p.report.PyPI, upstream.NotAsked, (*upstream.Error)(nil)
	if a := j.answer.Project; a != nil {
		outcome, err = projectVerdict(a)
		use.Requests += a.Requests
	}
	if _, project := j.prev.Key.Project(); !project {
		use = &p.report.GitHub
		outcome, err = verdict(&j.prev, &j.answer)
		if a := j.answer.Repo; a != nil {
			use.Requests += a.Requests
			use.Charged += a.Charged
		}
	}
	if outcome == upstream.NotAsked {
		return
	}
	w := word(outcome)
	addTo(&use.Tally, w)
	addTo(&p.report.Tally, w)
	if outcome == upstream.Limited && err != nil {
		use.Hold(err.RetryAt, err.Message)
	}
	p.logSource(&j.prev, outcome, err)
	if p.progress == nil {
		return
	}
	progress := Progress{Done: p.report.Asked, Total: p.total, Key: j.prev.Key, Outcome: w}
	if err != nil && w != wordPending && w != wordAbandoned {
		progress.Error = err.Error()
	}
	p.progress(progress)
}

// logSource writes a line for one source: a warning where it failed or has gone,
// information where it has come back, and all else at the debug level. What a
// limit defers is told once, in the line of the pass.
func (p *pass) logSource(before *record.Source, outcome upstream.Outcome, err *upstream.Error) {
	w := word(outcome)
	level, message := zerolog.DebugLevel, w
	switch {
	case w == wordFailed:
		level, message = zerolog.WarnLevel, "failed, "+left(before)
	case w == wordGone && before.State != record.StateGone && before.State != record.StateBlocked:
		level, message = zerolog.WarnLevel, gone(outcome)+", "+left(before)
	case w == wordPending:
		message = "not complete yet, asked again later"
	case outcome.Answered() && before.Failures > 0:
		level, message = zerolog.InfoLevel, "answers again"
	}
	if level < p.Log.GetLevel() {
		return
	}
	e := p.Log.WithLevel(level).Str("key", string(before.Key))
	if err != nil {
		e = e.Str("error", err.Error())
	}
	e.Msg(message)
}

// left says what there is of a source that does not answer.
func left(s *record.Source) string {
	if s.LastSuccess.IsZero() {
		return "nothing fetched so far"
	}
	return "the data of the last success stays"
}

// gone says how a source is gone.
func gone(o upstream.Outcome) string {
	if o == upstream.Blocked {
		return "taken down"
	}
	return "not found"
}

// finish completes the report and logs it in one line.
func (p *pass) finish(err error) (record.Pass, error) {
	r := &p.report
	r.DurationSeconds = time.Since(p.began).Seconds()
	for _, x := range []struct {
		name     string
		use      *record.Use
		upstream Upstream
	}{{"GitHub", &r.GitHub, p.GitHub}, {"PyPI", &r.PyPI, p.PyPI}} {
		hold := x.upstream.Hold()
		if hold.Elsewhere { // what is wrong, or no longer, another host knows
			if x.use.Deferred+x.use.Waiting > 0 {
				x.use.Hold(hold.Until, hold.Reason)
			}
			continue
		}
		x.use.Hold(hold.Until, hold.Reason)
		x.use.Fault = x.upstream.Fault()
		p.logFault(x.name, x.use)
	}
	if err != nil {
		r.Error = err.Error()
	}
	p.logReport(err)
	return *r, err
}

// logFault writes a line when an upstream as a whole begins to fail, when it fails in
// another way, and when it answers again; not at each pass in between.
func (p *pass) logFault(name string, use *record.Use) {
	f := p.fetcher
	f.faultsMu.Lock()
	before := f.faults[name]
	f.faults[name] = use.Fault
	f.faultsMu.Unlock()
	switch {
	case use.Fault == before:
	case use.Fault == "":
		p.Log.Info().Str("upstream", name).Msg(name + " answers again")
	default:
		p.Log.Error().Str("upstream", name).Int("waiting", use.Waiting+use.Deferred).Time("hold", use.HeldUntil).Msg(use.Fault)
	}
}

func (p *pass) logReport(err error) {
	r := &p.report
	level := zerolog.InfoLevel
	if r.Asked == 0 {
		level = zerolog.DebugLevel // nothing was due: no news
	}
	if err != nil {
		level = zerolog.ErrorLevel
	}
	if level < p.Log.GetLevel() {
		return
	}
	e := p.Log.WithLevel(level).Err(err).
		Int("asked", r.Asked).Int("fresh", r.Fresh).Int("unchanged", r.Unchanged).Int("pending", r.Pending).
		Int("failed", r.Failed).Int("gone", r.Gone).Int("deferred", r.Deferred).
		Int("github_requests", r.GitHub.Requests).Int("github_charged", r.GitHub.Charged).
		Int("pypi_requests", r.PyPI.Requests).
		Stringer("took", r.Duration().Round(time.Millisecond))
	for source, use := range map[string]record.Use{"github": r.GitHub, "pypi": r.PyPI} {
		if !use.HeldUntil.IsZero() {
			e = e.Time(source+"_hold", use.HeldUntil).Str(source+"_hold_reason", use.Reason)
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
}
