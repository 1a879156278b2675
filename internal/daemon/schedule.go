package daemon

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/rs/zerolog"
)

// resyncEvery is how often the scheduler looks at the wall clock. Timers run on
// the monotonic one, which stands still while the machine sleeps and does not
// know when the wall clock is set.
const resyncEvery = time.Minute

// clockStep is how far both clocks may drift apart in that time before it
// counts as a sleep or as a clock that was set.
const clockStep = 5 * time.Second

// scheduler runs a job at once, then whenever the plan says so, when the wall clock
// jumped, and when the job asked to be resumed. The job never overlaps itself, and a
// panic in it does not end the schedule.
type scheduler struct {
	job func(context.Context) (resume time.Time) // zero: nothing to resume
	log zerolog.Logger

	plan    atomic.Pointer[plan]
	changed chan struct{} // holds a token when plan is not the one that run follows

	wall    func() time.Time // the wall clock, which people and NTP set
	checked time.Time        // the next tick that late has looked at; for run

	resume atomic.Int64              // when to run the job again, in Unix nanoseconds; 0 for no such time
	beat   atomic.Pointer[time.Time] // when run last looked at the clock; nil before it runs
	skips  atomic.Bool               // a tick has been left out since the job began
}

// plan is when the job runs.
type plan struct {
	schedule cron.Schedule
	location *time.Location // that the schedule is in
}

func newScheduler(p plan, log zerolog.Logger, job func(context.Context) (resume time.Time)) *scheduler {
	s := &scheduler{log: log, job: job, changed: make(chan struct{}, 1), wall: func() time.Time { return time.Now().Round(0) }}
	s.plan.Store(&p)
	return s
}

// follow has the scheduler go by another plan.
func (s *scheduler) follow(p plan) {
	s.plan.Store(&p)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// alive returns nil while the scheduler runs: while it looks at the clock as often
// as it should. A job that takes long does not keep it from that.
func (s *scheduler) alive(now time.Time) error {
	if beat := s.beat.Load(); beat != nil && now.Sub(*beat) > 2*resyncEvery {
		return fmt.Errorf("the scheduler stands still: it last looked at the clock %s ago", now.Sub(*beat).Round(time.Second))
	}
	return nil
}

// runSoon has the job run when the scheduler next looks at the wall clock.
func (s *scheduler) runSoon() { s.resumeAt(time.Now()) }

// resumeAt has the job run again at a time, or earlier if that was asked for.
func (s *scheduler) resumeAt(t time.Time) {
	at := t.UnixNano()
	for {
		known := s.resume.Load()
		if known != 0 && known <= at || s.resume.CompareAndSwap(known, at) {
			return
		}
	}
}

// next returns when the job is due after now, as far as it is known now.
func (s *scheduler) next(now time.Time) time.Time {
	p := s.plan.Load()
	tick := p.schedule.Next(now.In(p.location))
	if resume := s.resume.Load(); resume > now.UnixNano() && resume < tick.UnixNano() {
		return time.Unix(0, resume)
	}
	return tick
}

// run returns when ctx is cancelled and the job that then ran has ended.
func (s *scheduler) run(ctx context.Context) {
	logger := cronLog{s}
	// In this order: the lock of the outer one is released although the job
	// panicked, because the inner one recovers.
	job := cron.NewChain(cron.SkipIfStillRunning(logger), cron.Recover(logger)).Then(cron.FuncJob(func() {
		if ctx.Err() != nil {
			return
		}
		s.skips.Store(false)
		if asked := s.resume.Load(); asked <= time.Now().UnixNano() { // this run is it
			s.resume.CompareAndSwap(asked, 0)
		}
		if at := s.job(ctx); !at.IsZero() {
			s.resumeAt(at)
		}
	}))
	begin := func() *cron.Cron {
		p := s.plan.Load()
		c := cron.New(cron.WithLocation(p.location), cron.WithLogger(logger))
		c.Schedule(p.schedule, job)
		c.Start()
		return c
	}
	c := begin()

	var started sync.WaitGroup
	started.Go(job.Run)
	ticker := time.NewTicker(resyncEvery)
	defer ticker.Stop()
	last, lastWall := time.Now(), s.wall()
	s.beat.Store(new(last))
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-s.changed:
			started.Go(waitFor(c.Stop()))
			c = begin()
		case <-ticker.C:
			now, wall := time.Now(), s.wall()
			drift := wall.Sub(lastWall) - now.Sub(last)
			last, lastWall = now, wall
			s.beat.Store(new(now))
			if drift.Abs() > clockStep || s.late(c, now) {
				s.log.Info().Stringer("by", drift.Round(time.Second)).Msg("the clock jumped, or the machine slept; the schedule is computed again, and a pass begins")
				started.Go(waitFor(c.Stop()))
				c = begin()
				started.Go(job.Run)
			} else if at := s.resume.Load(); at != 0 && wall.UnixNano() >= at {
				started.Go(job.Run)
			}
		}
	}
	<-c.Stop().Done()
	started.Wait()
}

// late reports whether c waits for longer than the plan says: it went by a clock that
// was ahead and has been set back since, both within resyncEvery.
func (s *scheduler) late(c *cron.Cron, now time.Time) bool {
	next := c.Entries()[0].Next
	if next.Equal(s.checked) {
		return false
	}
	s.checked = next
	p := s.plan.Load()
	return next.Sub(p.schedule.Next(now.In(p.location))) > clockStep
}

// waitFor returns a function that waits for the end of ctx.
func waitFor(ctx context.Context) func() { return func() { <-ctx.Done() } }

// cronLog hands what cron has to say to the log.
type cronLog struct{ *scheduler }

func (c cronLog) Info(msg string, keysAndValues ...any) {
	if msg == "skip" { // its word for it
		level := zerolog.DebugLevel
		if c.skips.CompareAndSwap(false, true) {
			level = zerolog.InfoLevel // once a pass
		}
		c.log.WithLevel(level).Msg("the last pass is still running; ticks are left out until it ends")
		return
	}
	c.log.Debug().Fields(keysAndValues).Msg("schedule: " + msg)
}

func (c cronLog) Error(err error, msg string, keysAndValues ...any) {
	c.log.Error().Err(err).Fields(keysAndValues).Msg("schedule: " + msg)
}
