package fetcher

import (
	"strconv"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// lookEvery is how often each project's page in the index is asked for: it alone tells
// that a project was archived, and its serial does not move then.
const lookEvery = 30 * 24 * time.Hour

// lookAgain is when a page is asked for again after a failure.
const lookAgain = 24 * time.Hour

// nextLook returns the first moment after a time that is the key's own in each period
// of lookEvery. So the pages of a catalogue stay spread evenly, whatever outage had
// them wait for each other.
func nextLook(key record.Key, after time.Time) time.Time {
	own := time.Unix(0, int64(fraction(key)*float64(lookEvery))).UTC()
	periods := after.Sub(own) / lookEvery
	return own.Add((periods + 1) * lookEvery).Truncate(time.Microsecond)
}

func standingOf(s *record.Source) record.Standing {
	if s.Project == nil {
		return record.Standing{}
	}
	return s.Project.Standing
}

// dueOf returns which questions a project is due for: that for its data, that for its
// page in the index, or both.
func (p *pass) dueOf(s *record.Source, now time.Time) (data, page bool) {
	standing := standingOf(s)
	page = !standing.Due.IsZero() && !standing.Due.After(now) ||
		standing.Status == record.ProjectQuarantined || // which has ended if there is data
		upstream.Insists(p.ctx)
	forPage := s.State == record.StateOK && s.NextDue.Equal(standing.Due) && now.Before(s.LastSuccess.Add(p.Policy.fresh(s, s.LastSuccess)))
	return p.everything || !page || !forPage, page
}

// mergePage takes in what the project's page said, and has a project that answers due
// for its page once a month.
func mergePage(s record.Source, page *pypi.PageAnswer, now time.Time, policy Policy) record.Source {
	if s.Project == nil && (page == nil || page.Outcome != upstream.Fresh) {
		return s // nothing is known of it
	}
	project := record.Project{}
	if s.Project != nil {
		project = *s.Project
	}
	if page != nil {
		takePage(&project.Standing, page, s.Key, now)
		if page.Outcome == upstream.Fresh {
			s.Tags = withTag(s.Tags, tagPage, page.ETag)
		}
	}
	if s.State == record.StateOK {
		if project.Standing.Due.IsZero() {
			project.Standing.Due = nextLook(s.Key, now)
		}
		s.NextDue = s.LastSuccess.Add(policy.fresh(&s, s.LastSuccess))
		if project.Standing.Due.Before(s.NextDue) {
			s.NextDue = project.Standing.Due
		}
		if serial := newerSerial(page); serial > s.Serial {
			s.Tags = withTag(s.Tags, tagIndexed, strconv.FormatInt(serial, 10))
			s.NextDue = now
		} else if withheld(page) { // the data has to tell what that means
			s.NextDue = now
		}
	}
	s.Project = &project
	return s
}

func takePage(standing *record.Standing, page *pypi.PageAnswer, key record.Key, now time.Time) {
	switch page.Outcome {
	case upstream.Fresh:
		standing.Status, standing.Reason, standing.Asked = page.Page.Status, page.Page.Reason, now
		standing.Due = nextLook(key, now.Add(lookEvery/2))
	case upstream.Unchanged:
		standing.Asked = now
		standing.Due = nextLook(key, now.Add(lookEvery/2))
	case upstream.Gone:
		standing.Due = nextLook(key, now.Add(lookEvery/2))
	case upstream.Failed:
		standing.Due = now.Add(lookAgain)
	}
}

// newerSerial returns the serial that a page gives the project, 0 for none. It is above
// the known one where the index as a whole, or a cache of it, has stood still.
func newerSerial(page *pypi.PageAnswer) int64 {
	if page == nil || page.Outcome != upstream.Fresh {
		return 0
	}
	return page.Page.Serial
}

// withheld reports whether a page says that there is nothing to be had of the project.
func withheld(page *pypi.PageAnswer) bool {
	return page != nil && (page.Outcome == upstream.Gone || page.Outcome == upstream.Fresh && page.Page.Status == record.ProjectQuarantined)
}
