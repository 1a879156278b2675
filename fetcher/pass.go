package fetcher

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"pkgmetad/internal/record"

	"golang.org/x/sync/semaphore"
)

const (
	batchSize = 256                    // sources in one transaction, or twice as many where writing falls behind
	batchAge  = 500 * time.Millisecond // what a source waits for others to be written with it
)

// pass is one run over some sources. All of its fields belong to the goroutine
// that runs it, but for room.
type pass struct {
	Options  // as they were when it began
	fetcher  *Fetcher
	ctx      context.Context
	progress func(Progress)
	byHand   bool // a person asks, and waits
	report   record.Pass
	began    time.Time     // report.Started, by a clock that nobody sets
	total    int           // sources taken so far
	patience time.Duration // left for waiting for delayed jobs alone
	room     *semaphore.Weighted

	everything bool      // of each source is asked for, due or not
	indexRead  time.Time // when it read PyPI's index; zero for not at all

	lanes   lanes
	delayed delayQueue // jobs to be asked once more later

	batch   []record.Source // what came in and is not being written yet
	batchAt time.Time       // when the oldest source of the batch came in
	writing bool            // the batch before it is
	written chan error      // how that ended
	err     error           // of a write; it ends the pass
}

func (f *Fetcher) newPass(ctx context.Context, progress func(Progress)) *pass {
	o, now := f.options.Load(), time.Now()
	return &pass{
		Options: *o, began: now, fetcher: f, ctx: ctx, progress: progress, patience: o.PendingWait,
		room: semaphore.NewWeighted(int64(o.Workers)), written: make(chan error), report: record.Pass{Started: now.UTC()},
	}
}

// run asks about every job of the queue and stores what comes of it.
func (p *pass) run(queue []*job) error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.lanes = newLanes(p.Workers, p.PyPIWorkers)
	p.total += len(queue)
	for i, j := range queue {
		j.order = i
		p.fetcher.ways.note(j.prev.Key, j.known().Counting, p.Log)
	}
	for _, j := range queue {
		if p.plan(j, time.Now()) {
			p.lanes.of(j).put(j)
		}
	}
	units, answers := make(chan *unit), make(chan *unit)
	wait := workers(min(p.Workers, len(queue)), func() {
		for u := range units {
			p.work(ctx, u)
			answers <- u
		}
	})
	p.serve(ctx, cancel, units, answers)
	close(units)
	wait()
	p.writeRest()
	for _, j := range p.delayed { // what they have so far is stored
		p.count(j)
	}
	p.report.Left += p.lanes.left()
	p.report.Cancelled = p.ctx.Err() != nil
	p.lanes, p.delayed = lanes{}, nil
	return p.err
}

// work asks about one unit. It counts as one request in flight; where the pass has
// room for more, the question about a single job may be put in several at once.
func (p *pass) work(ctx context.Context, u *unit) {
	if p.room.Acquire(context.Background(), 1) == nil { // it fails under a context that ends, which this one does not
		defer p.room.Release(1)
	}
	switch u.lane.step {
	case stepSweep:
		u.cost = p.sweep(ctx, u.jobs)
		return
	case stepLog:
		if len(u.jobs) == 1 && u.jobs[0].parts != 0 { // a person waits, perhaps: ask the rest now, if there is room
			var rest sync.WaitGroup
			rest.Add(1)
			if !p.beside(func() { defer rest.Done(); p.ask(ctx, u.jobs[0], p.beside) }) {
				rest.Done()
			}
			defer rest.Wait()
		}
		u.cost = p.readLogs(ctx, u.jobs)
		return
	}
	p.ask(ctx, u.jobs[0], p.beside)
}

// beside runs f on another goroutine if the pass has room for one more request in
// flight, and reports whether it has.
func (p *pass) beside(f func()) bool {
	if !p.room.TryAcquire(1) {
		return false
	}
	go func() {
		defer p.room.Release(1)
		f()
	}()
	return true
}

// serve hands jobs out and takes answers in until there is nothing left to do.
func (p *pass) serve(ctx context.Context, cancel func(), units chan<- *unit, answers <-chan *unit) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		p.wake()
		stopped := ctx.Err() != nil
		next, hand := p.lanes.next(), units
		if stopped {
			next = nil
		}
		if next == nil || len(p.batch) >= 2*batchSize {
			hand = nil // nothing is handed out
		}
		alone := next == nil && p.lanes.idle()
		if alone && (stopped || len(p.delayed) == 0 || p.patience <= 0) {
			return
		}
		now := time.Now()
		timer.Reset(p.pause(now, alone))
		select {
		case hand <- next:
			next.handedOut()
		case u := <-answers:
			u.lane.busy--
			p.takeUnit(u)
		case err := <-p.written:
			p.noteWritten(err)
		case <-timer.C:
		case <-stop:
			stop = nil // workers notice by themselves; their answers are waited for
		}
		if alone {
			p.patience -= time.Since(now)
		}
		if len(p.batch) >= batchSize || len(p.batch) > 0 && time.Since(p.batchAt) >= batchAge {
			p.write()
		}
		if p.err != nil {
			cancel()
		}
	}
}

// wake moves on the jobs whose delay is over.
func (p *pass) wake() {
	for len(p.delayed) > 0 && !p.delayed[0].at.After(time.Now()) {
		j := heap.Pop(&p.delayed).(*job)
		p.lanes.of(j).putAgain(j)
	}
}

// takeUnit takes in the answer to a unit, and puts its jobs where they go on.
func (p *pass) takeUnit(u *unit) {
	p.report.GitHub.Requests += u.cost.Requests
	p.report.GitHub.Points += u.cost.Points
	for _, j := range u.jobs {
		switch more := p.plan(j, time.Now()); {
		case more && (p.ctx.Err() != nil || p.err != nil):
			p.report.Left++ // what it has is not the whole answer
		case more:
			p.lanes.of(j).put(j)
		case p.take(j):
			heap.Push(&p.delayed, j)
		}
	}
}

// pause returns how long nothing has to be done, unless an answer arrives.
func (p *pass) pause(now time.Time, alone bool) time.Duration {
	d := time.Minute
	if len(p.batch) > 0 && !p.writing {
		d = min(d, p.batchAt.Add(batchAge).Sub(now))
	}
	if len(p.delayed) > 0 {
		d = min(d, p.delayed[0].at.Sub(now))
	}
	if alone {
		d = min(d, p.patience)
	}
	return max(d, 0)
}

// take puts what is known of a job by now into the batch, and reports whether
// it is worth asking once more.
func (p *pass) take(j *job) (again bool) {
	if j.arrived() && p.err == nil {
		if len(p.batch) == 0 {
			p.batchAt = time.Now()
		}
		source := Merge(j.prev, j.answer, time.Now(), p.Policy)
		if source.Repo != nil {
			p.fetcher.ways.note(source.Key, source.Repo.Counting, p.Log)
			p.noteCheck(j, &source)
		}
		p.batch = append(p.batch, source)
	}
	if p.ctx.Err() == nil && p.err == nil && j.askAgain(time.Now(), p.patience > 0) {
		return true
	}
	p.count(j)
	j.prev, j.answer = record.Source{}, Answer{} // a queue may hold on to the job
	return false
}

// noteCheck counts a check of a repository's counted commits, and logs the first that failed.
func (p *pass) noteCheck(j *job, after *record.Source) {
	before, c := j.counting(), after.Repo.Counting
	if c == nil || c.TooMany || j.checked || c.Agreed == before.Agreed && c.Drifts == before.Drifts {
		return
	}
	j.checked = true
	p.report.GitHub.Checked++
	if c.Drifts == before.Drifts {
		return
	}
	p.report.GitHub.Drifted++
	if before.Statistics != "" {
		return // it has been told
	}
	what := c.Statistics
	if what == "" {
		what = "counted " + c.Way.String() + ", they agree"
	}
	p.Log.Info().Str("key", string(after.Key)).Msg("the count of its commits did not agree with GitHub's statistics: " + what)
}

// write has the batch written, beside what else goes on, unless the one before it
// still is. A context does not stop it: what arrived is stored.
func (p *pass) write() {
	if p.writing || len(p.batch) == 0 || p.err != nil {
		return
	}
	batch := p.batch
	p.batch, p.writing = make([]record.Source, 0, batchSize), true
	go func() { p.written <- p.Store.Put(batch) }()
}

// noteWritten notes how a write ended.
func (p *pass) noteWritten(err error) {
	p.writing = false
	if p.err == nil {
		p.err = err
	}
}

// writeRest returns when everything that came in is written, or cannot be.
func (p *pass) writeRest() {
	for range 2 { // the batch that is being written, and the one after it
		p.write()
		if p.writing {
			p.noteWritten(<-p.written)
		}
	}
}

// delayQueue is a heap of jobs, the next one to go on with first.
type delayQueue []*job

func (q delayQueue) Len() int           { return len(q) }
func (q delayQueue) Less(a, b int) bool { return q[a].at.Before(q[b].at) }
func (q delayQueue) Swap(a, b int)      { q[a], q[b] = q[b], q[a] }
func (q *delayQueue) Push(j any)        { *q = append(*q, j.(*job)) }
func (q *delayQueue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	*q = (*q)[:last]
	return j
}
