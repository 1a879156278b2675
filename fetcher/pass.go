package fetcher

import (
	"container/heap"
	"context"
	"pkgmetad/internal/record"
	"time"
)

const (
	batchSize = 256                    // records in one transaction
	batchAge  = 500 * time.Millisecond // what a record waits for others to be written with it
)

// pass is one run over some records. All of its fields belong to the goroutine
// that runs it.
type pass struct {
	*Fetcher
	ctx      context.Context
	progress func(Progress)
	report   Report
	total    int           // packages taken so far
	patience time.Duration // left for waiting for delayed jobs alone

	batch   []record.Package
	batchAt time.Time // when the oldest record of the batch came in
	err     error     // of a write; it ends the pass
}

func (f *Fetcher) newPass(ctx context.Context, progress func(Progress)) *pass {
	return &pass{Fetcher: f, ctx: ctx, progress: progress, patience: f.PendingWait, report: Report{Started: time.Now()}}
}

// run asks about every job of the queue and stores what comes of it.
func (p *pass) run(queue []*job) error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	jobs, answers := make(chan *job), make(chan *job)
	wait := workers(min(p.Workers, len(queue)), func() {
		for j := range jobs {
			p.ask(ctx, j)
			answers <- j
		}
	})
	p.total += len(queue)

	var again []*job       // to be asked about once more by now; before the queue
	var delayed delayQueue // to be asked about once more later
	busy := 0              // jobs that workers have
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		for len(delayed) > 0 && !delayed[0].at.After(time.Now()) {
			again = append(again, heap.Pop(&delayed).(*job))
		}
		stopped := ctx.Err() != nil
		first := &again
		if len(again) == 0 {
			first = &queue
		}
		var next *job
		var hand chan<- *job // nil: no job is handed out
		if !stopped && len(*first) > 0 {
			next, hand = (*first)[0], jobs
		}
		alone := next == nil && busy == 0
		if alone && (stopped || len(delayed) == 0 || p.patience <= 0) {
			break
		}
		now := time.Now()
		timer.Reset(p.wait(now, delayed, alone))
		select {
		case hand <- next:
			*first = (*first)[1:]
			busy++
		case j := <-answers:
			busy--
			if p.take(j) {
				heap.Push(&delayed, j)
			}
		case <-timer.C:
		case <-stop:
			stop = nil // workers notice by themselves; their answers are waited for
		}
		if alone {
			p.patience -= time.Since(now)
		}
		if len(p.batch) >= batchSize || len(p.batch) > 0 && time.Since(p.batchAt) >= batchAge {
			p.flush()
		}
		if p.err != nil {
			cancel()
		}
	}
	close(jobs)
	wait()
	p.flush()
	for _, j := range delayed { // what they have so far is stored
		p.count(j)
	}
	p.report.Left += len(again) + len(queue)
	p.report.Cancelled = p.ctx.Err() != nil
	return p.err
}

// wait returns how long nothing has to be done, unless an answer arrives.
func (p *pass) wait(now time.Time, delayed delayQueue, alone bool) time.Duration {
	d := time.Minute
	if len(p.batch) > 0 {
		d = min(d, p.batchAt.Add(batchAge).Sub(now))
	}
	if len(delayed) > 0 {
		d = min(d, delayed[0].at.Sub(now))
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
		p.batch = append(p.batch, Merge(j.prev, j.repo, j.release, time.Now(), p.Policy))
	}
	if p.ctx.Err() == nil && p.err == nil && j.askAgain(time.Now(), p.patience > 0) {
		return true
	}
	p.count(j)
	return false
}

// flush writes the batch. A context does not stop it: what arrived is stored.
func (p *pass) flush() {
	if len(p.batch) == 0 || p.err != nil {
		return
	}
	p.err = p.Store.Put(p.batch)
	p.batch = p.batch[:0]
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
