package fetcher

// A lane holds the jobs of one upstream. Each upstream has its own, so that the workers
// are not all taken by jobs that wait for their turn at one of them.
type lane struct {
	queue []*job // not asked about yet
	again []*job // to be asked about once more by now; before the queue
	busy  int    // jobs that workers have
	limit int    // of busy; 0 for none
}

// fill puts jobs into their lanes.
func (p *pass) fill(jobs []*job) {
	p.repos, p.projects = lane{}, lane{limit: p.PyPIWorkers}
	for i, j := range jobs {
		j.order = i
		l := p.laneOf(j)
		l.queue = append(l.queue, j)
	}
	p.total += len(jobs)
}

func (p *pass) laneOf(j *job) *lane {
	if _, project := j.prev.Key.Project(); project {
		return &p.projects
	}
	return &p.repos
}

// next returns the job to hand out next, that which came first, and its lane; nil for
// none.
func (p *pass) next(stopped bool) (from *lane, next *job) {
	if stopped {
		return nil, nil
	}
	for _, l := range []*lane{&p.repos, &p.projects} {
		if j := l.first(); j != nil && (next == nil || j.order < next.order) {
			from, next = l, j
		}
	}
	return from, next
}

// first returns the next job of l; nil where there is none, or workers have enough.
func (l *lane) first() *job {
	switch {
	case l.limit > 0 && l.busy >= l.limit:
		return nil
	case len(l.again) > 0:
		return l.again[0]
	case len(l.queue) > 0:
		return l.queue[0]
	}
	return nil
}

// handedOut notes that a worker has taken what first returned.
func (l *lane) handedOut() {
	l.busy++
	if len(l.again) > 0 {
		l.again = l.again[1:]
		return
	}
	l.queue = l.queue[1:]
}

func (l *lane) putAgain(j *job) { l.again = append(l.again, j) }

func (l *lane) left() int { return len(l.queue) + len(l.again) }
