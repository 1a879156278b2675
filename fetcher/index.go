package fetcher

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// One request for PyPI's index tells of every project whether it has changed, for the
// bytes of some 5,000 conditional requests. Of a large catalogue it is read just before
// the first project would fall due, and projects are then asked only where it differs
// from what is known.
const (
	indexLeast  = 30 * time.Minute // between two readings: PyPI's edge keeps the index for as long
	indexCached = time.Hour        // an index read that long after an answer is newer than it, whatever caches did
	indexChunk  = 2 * batchSize    // projects compared, and stored, at once
)

// index is what PyPI's index says of the projects of the catalogue.
type index struct {
	asked     time.Time
	serials   map[string]int64 // by normalised name; unlisted, or 0 where the index gives none
	unchanged bool             // it is as it was, and serials is not filled in
	since     time.Time        // when it was read before
}

const unlisted = -1

// indexReader is what a Fetcher remembers of its readings of the index. Only the pass
// over many sources uses it.
type indexReader struct {
	failures  int       // in a row
	notBefore time.Time // it is read again
}

// readIndex reads PyPI's index if the catalogue is large enough and the index is due,
// for a pass over everything always. What the index confirms is stored as a success;
// what differs from it is due at once. An index that cannot be read is no error:
// projects are then asked one by one as they fall due.
func (p *pass) readIndex() error {
	known, err := p.Store.Index()
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if !p.everything && !p.indexIsDue(known.Read, now) || !p.PyPI.Hold().Until.IsZero() {
		return nil
	}
	if names, err := p.Store.Projects(p.IndexAbove + 1); err != nil || len(names) <= p.IndexAbove {
		return err
	}
	names, err := p.Store.Projects(math.MaxInt)
	if err != nil {
		return err
	}
	x := index{asked: now, serials: make(map[string]int64, len(names)), since: known.Read}
	for _, name := range names {
		x.serials[name] = unlisted
	}
	a := p.PyPI.Index(p.ctx, known.ETag, func(name []byte, serial int64) {
		if _, ours := x.serials[string(name)]; ours {
			x.serials[string(name)] = serial
		}
	})
	p.report.PyPI.Requests += a.Requests
	if a.Outcome != upstream.Fresh && a.Outcome != upstream.Unchanged {
		p.noteIndexFailure(&a)
		return nil
	}
	p.fetcher.index = indexReader{}
	x.unchanged = a.Outcome == upstream.Unchanged
	return p.takeIndex(&x, &a)
}

// indexIsDue reports whether the index, last read at some time, is to be read again.
func (p *pass) indexIsDue(read, now time.Time) bool {
	age := now.Sub(read)
	interval := max(time.Duration(freshLeast*float64(p.Policy.StaleAfter)), indexLeast)
	return (age >= interval || age < 0) && !time.Now().Before(p.fetcher.index.notBefore) // age < 0: by a clock that was ahead
}

// noteIndexFailure has the index read again later, and logs the first failure in a row.
func (p *pass) noteIndexFailure(a *pypi.IndexAnswer) {
	if !said(a.Outcome) {
		return
	}
	r := &p.fetcher.index
	r.failures++
	r.notBefore = time.Now().Add(p.Policy.backoff(r.failures, 0))
	if r.failures == 1 {
		p.Log.Warn().Str("error", a.Err.Error()).Time("again", r.notBefore).Msg("PyPI's index cannot be read; projects are asked one by one meanwhile")
	}
}

// takeIndex compares all projects with the index, and stores what it means for them.
// Its error names those that could not be read, or says why nothing can be stored.
func (p *pass) takeIndex(x *index, a *pypi.IndexAnswer) error {
	var damaged error
	differing := 0
	last := record.ProjectKey("")
	for {
		sources, err := p.Store.SourcesAfter(last, indexChunk)
		damaged = errors.Join(damaged, err)
		sources = slices.DeleteFunc(sources, func(s record.Source) bool { _, project := s.Key.Project(); return !project })
		if len(sources) == 0 {
			break
		}
		last = sources[len(sources)-1].Key
		learnt, confirmed := x.compare(sources, p.Policy)
		if p.ctx.Err() != nil {
			return damaged // the next pass reads the index again
		}
		if len(learnt) > 0 {
			if err := p.Store.Put(learnt); err != nil {
				return err
			}
		}
		p.countIndexed(confirmed)
		differing += len(learnt) - confirmed
	}
	p.indexRead = x.asked
	p.Log.Info().Int("confirmed", p.report.PyPI.Indexed).Int("to_ask", differing).Msg("PyPI's index compared")
	return errors.Join(damaged, p.Store.PutIndex(record.Index{Read: x.asked, ETag: a.ETag}))
}

// compare returns the projects that the index says anything of, with that taken in, and
// how many of them it confirms.
func (x *index) compare(sources []record.Source, policy Policy) (learnt []record.Source, confirmed int) {
	for i := range sources {
		next, meaning := x.note(sources[i], policy)
		if meaning == confirms {
			confirmed++
		}
		if meaning != saysNothing {
			learnt = append(learnt, next)
		}
	}
	return learnt, confirmed
}

// countIndexed enters projects into the report that the index confirms.
func (p *pass) countIndexed(n int) {
	for _, t := range []*record.Tally{&p.report.Tally, &p.report.PyPI.Tally} {
		t.Asked += n
		t.Unchanged += n
	}
	p.report.PyPI.Indexed += n
	p.total += n
}

// isConfirmed reports whether the index, as it was read in this pass, confirms a source.
func (p *pass) isConfirmed(s record.Source) bool {
	_, project := s.Key.Project()
	return project && !p.indexRead.IsZero() && s.State == record.StateOK && !s.LastSuccess.Before(p.indexRead)
}

// meaning is what the index means for a project.
type meaning int

const (
	saysNothing meaning = iota // it is asked when it is due
	confirms                   // what is known is all there is to know
	differs                    // it is to be asked at once
)

// note returns a project with what the index says of it taken in.
func (x *index) note(s record.Source, policy Policy) (record.Source, meaning) {
	name, _ := s.Key.Project()
	serial, asked := x.serials[name]
	answers := s.State == record.StateOK || s.State == record.StatePending
	switch {
	case !asked || s.LastSuccess.After(x.asked) || readInPart(&s):
		return s, saysNothing
	case x.unchanged:
		if s.State == record.StateOK && !s.Imported && !s.LastSuccess.Before(x.since) {
			return x.confirm(s, policy), confirms
		}
		return s, saysNothing
	case serial == unlisted: // deleted or in quarantine, for its own answer to tell
		return x.due(s, 0, answers)
	case s.State == record.StateGone || s.State == record.StateBlocked:
		return x.due(s, 0, true) // it is back
	case s.State == record.StateNew || serial == 0 || s.Serial == 0:
		return s, saysNothing
	case serial == s.Serial:
		return x.confirm(s, policy), confirms
	case serial < s.Serial && x.asked.Sub(s.LastSuccess) < indexCached: // it may be older than the answer
		return s, saysNothing
	}
	return x.due(s, serial, answers)
}

// confirm returns a project whose data the index shows to be current.
func (x *index) confirm(s record.Source, policy Policy) record.Source {
	if s.State != record.StateOK {
		s.Note = ""
	}
	s.Tags = withTag(withTag(s.Tags, tagStaleSince, ""), tagIndexed, "")
	s.Status = policy.attempt(&s, upstream.Unchanged, nil, x.asked)
	return mergePage(s, nil, x.asked, policy)
}

// due returns a project that is due at once, if it is to be: its answer has to be as new
// as the serial, 0 for none.
func (x *index) due(s record.Source, serial int64, wanted bool) (record.Source, meaning) {
	if !wanted {
		return s, saysNothing
	}
	if serial != 0 {
		s.Tags = withTag(s.Tags, tagIndexed, strconv.FormatInt(serial, 10))
	}
	if s.NextDue.After(x.asked) {
		s.NextDue = x.asked
	}
	return s, differs
}
