package fetcher

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"pkgmetad/github"
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
	total    int           // sources taken so far
	patience time.Duration // left for waiting for delayed jobs alone
	room     *semaphore.Weighted

	queue   []*job     // to be asked about one by one
	sweeps  []*job     // repositories to be swept, many at once
	logs    []*job     // repositories whose history is to be read, likewise
	again   []*job     // to be asked about once more by now; before all others
	delayed delayQueue // to be asked about once more later
	busy    [3]int     // units that workers have, by step

	batch   []record.Source // what came in and is not being written yet
	batchAt time.Time       // when the oldest source of the batch came in
	writing bool            // the batch before it is
	written chan error      // how that ended
	err     error           // of a write; it ends the pass
}

func (f *Fetcher) newPass(ctx context.Context, progress func(Progress)) *pass {
	o := f.options.Load()
	return &pass{
		Options: *o, fetcher: f, ctx: ctx, progress: progress, patience: o.PendingWait,
		room: semaphore.NewWeighted(int64(o.Workers)), written: make(chan error), report: record.Pass{Started: time.Now().UTC()},
	}
}

// A unit is what a worker takes at a time: one job, or some whose step asks about many
// at once. All have the same step.
type unit struct {
	jobs []*job
	step step
	cost github.Cost // of a question about all of them
}

// maxUnit is how many jobs a unit may have.
const maxUnit = github.MaxSweep

// run asks about every job of the queue and stores what comes of it.
func (p *pass) run(queue []*job) error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.total += len(queue)
	for _, j := range queue {
		p.fetcher.ways.note(j.prev.Key, j.known().Counting, p.Log)
	}
	for _, j := range queue {
		p.next(j, time.Now())
		p.place(j)
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
	p.report.Left += len(p.again) + len(p.queue) + len(p.sweeps) + len(p.logs)
	p.report.Cancelled = p.ctx.Err() != nil
	p.queue, p.sweeps, p.logs, p.again, p.delayed = nil, nil, nil, nil, nil
	return p.err
}

// place puts a job where its step is waited for.
func (p *pass) place(j *job) {
	switch j.step {
	case stepSweep:
		p.sweeps = append(p.sweeps, j)
	case stepLog:
		p.logs = append(p.logs, j)
	default:
		p.queue = append(p.queue, j)
	}
}

// work asks about one unit. It counts as one request in flight; where the pass has
// room for more, the question about a single job may be put in several at once.
func (p *pass) work(ctx context.Context, u *unit) {
	if p.room.Acquire(context.Background(), 1) == nil { // it fails under a context that ends, which this one does not
		defer p.room.Release(1)
	}
	switch u.step {
	case stepSweep:
		u.cost = p.sweep(ctx, u.jobs)
		return
	case stepLog:
		if len(u.jobs) == 1 && u.jobs[0].parts != 0 { // nobody waits for it with others: so that it is soon done
			var contributors sync.WaitGroup
			contributors.Go(func() { p.ask(ctx, u.jobs[0], p.beside) })
			defer contributors.Wait()
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
		next, hand := p.nextUnit(stopped), units
		if next == nil || len(p.batch) >= 2*batchSize {
			hand = nil // nothing is handed out
		}
		alone := next == nil && p.busy == [3]int{}
		if alone && (stopped || len(p.delayed) == 0 || p.patience <= 0) {
			return
		}
		now := time.Now()
		timer.Reset(p.pause(now, alone))
		select {
		case hand <- next:
			p.handedOut(next)
		case u := <-answers:
			p.busy[u.step]--
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
		p.again = append(p.again, heap.Pop(&p.delayed).(*job))
	}
}

// nextUnit returns what to hand out next, nil for nothing. Histories wait until there
// are many, or until no sweep can bring more.
func (p *pass) nextUnit(stopped bool) *unit {
	switch {
	case stopped:
		return nil
	case len(p.again) > 0:
		return &unit{jobs: p.again[:1], step: p.again[0].step}
	case len(p.logs) >= maxUnit || len(p.logs) > 0 && len(p.sweeps) == 0 && p.busy[stepSweep] == 0:
		return &unit{jobs: p.logs[:min(len(p.logs), maxUnit)], step: stepLog}
	case len(p.sweeps) > 0 && (p.busy[stepSweep] == 0 || len(p.queue) == 0):
		return &unit{jobs: p.sweeps[:min(len(p.sweeps), maxUnit)], step: stepSweep}
	case len(p.queue) > 0:
		return &unit{jobs: p.queue[:1], step: stepREST}
	}
	return nil
}

// handedOut notes that a worker has taken what nextUnit returned.
func (p *pass) handedOut(u *unit) {
	p.busy[u.step]++
	for _, q := range []*[]*job{&p.again, &p.logs, &p.sweeps, &p.queue} {
		if len(*q) > 0 && (*q)[0] == u.jobs[0] {
			*q = (*q)[len(u.jobs):]
			return
		}
	}
}

// takeUnit takes in the answer to a unit, and puts its jobs where they go on.
func (p *pass) takeUnit(u *unit) {
	p.report.GitHub.Requests += u.cost.Requests
	p.report.GitHub.Points += u.cost.Points
	for _, j := range u.jobs {
		switch {
		case p.ctx.Err() == nil && p.err == nil && p.next(j, time.Now()):
			p.place(j)
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
		}
		p.batch = append(p.batch, source)
	}
	if p.ctx.Err() == nil && p.err == nil && j.askAgain(time.Now(), p.patience > 0) {
		return true
	}
	p.count(j)
	return false
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
