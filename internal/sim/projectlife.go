package sim

import "time"

// projectLife is what happens to a generated project in the course of time, but for releases.
type projectLife struct {
	archived, deleted time.Time
	quarantine        span // of the project, or of releases
	pulled            pulled
}

// span is the time from one moment until another.
type span struct{ from, to time.Time }

func (s span) holds(now time.Time) bool { return !now.Before(s.from) && now.Before(s.to) }

// pulled says what of a project is in quarantine.
type pulled int

const (
	nothing pulled = iota
	newestRelease
	allReleases
	wholeProject
)

// project draws what will happen to a project.
func (r Rates) project(d dice, anchor time.Time) *projectLife {
	l := &projectLife{archived: d.once(anchor, r.ProjectsArchived), deleted: d.once(anchor, r.ProjectsDeleted)}
	l.quarantine.from = d.once(anchor, r.Quarantined)
	l.pulled = pick(&d, []pulled{newestRelease, allReleases, wholeProject})
	l.quarantine.to = never
	if l.quarantine.from != never {
		l.quarantine.to = l.quarantine.from.Add(time.Hour + time.Duration(d.exp(7)*float64(day))).Truncate(time.Second)
	}
	return l
}

// at is the project at a moment. Only a generated one changes by itself.
func (p *Project) at(now time.Time) *Project {
	l := p.life
	if l == nil {
		return p
	}
	c := *p
	c.until = never
	events := []struct {
		at    time.Time
		bumps bool
		apply func()
	}{
		{l.archived, false, func() { c.Status, c.StatusReason = Archived, "" }},
		{l.quarantine.from, true, func() {
			switch {
			case !l.quarantine.holds(now):
			case l.pulled == wholeProject:
				c.Status, c.StatusReason = Quarantined, "reported as malware"
			default:
				c.pulled = l.pulled
			}
		}},
		{l.quarantine.to, true, func() {}},
		{l.deleted, true, func() { c.Status = Deleted }},
	}
	for _, e := range events {
		if now.Before(e.at) {
			c.until = earlier(c.until, e.at)
			continue
		}
		e.apply()
		if e.bumps {
			c.changed = later(c.changed, e.at)
		}
	}
	return &c
}
