package fetcher

import "pkgmetad/github"

// A lane holds the jobs that wait for one kind of question. Each kind has its own, so
// that the workers are not all taken by jobs that wait for their turn at one of them.
type lane struct {
	step  step
	queue []*job // not asked yet
	again []*job // to be asked once more by now; before the queue
	busy  int    // units that workers have
	limit int    // of busy; 0 for none
	batch int    // jobs to a unit
}

// A unit is what a worker takes at a time: one job, or some about which one question is
// asked.
type unit struct {
	lane *lane
	jobs []*job
	cost github.Cost // of a question about all of them
}

// lanes are those of a pass.
type lanes struct {
	projects, rest, sweeps, logs lane
}

func newLanes(workers, pypiWorkers int) lanes {
	return lanes{
		projects: lane{step: stepREST, batch: 1, limit: pypiWorkers},
		// One worker is left to others: GitHub has those wait that ask too fast.
		rest: lane{step: stepREST, batch: 1, limit: max(workers-1, 1)},
		// The client puts one query at a time.
		sweeps: lane{step: stepSweep, batch: github.MaxSweep, limit: 1},
		logs:   lane{step: stepLog, batch: github.MaxSweep, limit: 1},
	}
}

func (l *lanes) all() []*lane { return []*lane{&l.projects, &l.rest, &l.sweeps, &l.logs} }

// of returns the lane for the step that a job has come to.
func (l *lanes) of(j *job) *lane {
	if _, project := j.prev.Key.Project(); project {
		return &l.projects
	}
	switch j.step {
	case stepSweep:
		return &l.sweeps
	case stepLog:
		return &l.logs
	}
	return &l.rest
}

// next returns what to hand out next, that which came first; nil for nothing. Histories
// wait until there are many, or until no sweep can bring more.
func (l *lanes) next() *unit {
	var best *lane
	for _, x := range l.all() {
		if x == &l.logs && len(x.queue) < x.batch && len(l.sweeps.queue)+l.sweeps.busy > 0 || x.first() == nil {
			continue
		}
		if best == nil || x.first().order < best.first().order {
			best = x
		}
	}
	if best == nil {
		return nil
	}
	jobs := best.queue
	if len(best.again) > 0 {
		jobs = best.again
	}
	return &unit{lane: best, jobs: jobs[:min(len(jobs), best.batch)]}
}

// idle reports whether no worker has anything.
func (l *lanes) idle() bool {
	for _, x := range l.all() {
		if x.busy > 0 {
			return false
		}
	}
	return true
}

// left returns how many jobs wait.
func (l *lanes) left() (n int) {
	for _, x := range l.all() {
		n += len(x.queue) + len(x.again)
	}
	return n
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

// handedOut notes that a worker has taken u.
func (u *unit) handedOut() {
	l := u.lane
	l.busy++
	if len(l.again) > 0 {
		l.again = l.again[len(u.jobs):]
		return
	}
	l.queue = l.queue[len(u.jobs):]
}

func (l *lane) put(j *job)      { l.queue = append(l.queue, j) }
func (l *lane) putAgain(j *job) { l.again = append(l.again, j) }
