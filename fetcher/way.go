package fetcher

import "pkgmetad/internal/record"

// wayQuorum is how many repositories whose count was checked it takes to say how
// GitHub counts.
const wayQuorum = 10

// way returns the way of counting that most repositories were found to follow. It is
// that of new ones, until a check says otherwise.
func (p *pass) way() record.Way {
	if way := p.fetcher.countingWay.Load(); way != nil {
		return *way
	}
	return record.Ways()[0]
}

// noteWay notes the way that most of the repositories of these jobs were found to
// follow when their count was checked.
func (p *pass) noteWay(jobs []*job) {
	votes, checked := map[record.Way]int{}, 0
	for _, j := range jobs {
		if c := j.counting(); c.Agreed > 0 && len(c.Days) > 0 {
			votes[c.Way]++
			checked++
		}
	}
	if checked < wayQuorum {
		return
	}
	for _, way := range record.Ways() {
		if votes[way] <= checked/2 || way == p.way() {
			continue
		}
		p.fetcher.countingWay.Store(&way)
		p.Log.Warn().Int("checked", checked).Int("agree", votes[way]).
			Msgf("GitHub's statistics turn out to count commits %s; repositories that were counted otherwise are counted anew", way)
	}
}
