package daemon

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pkgmetad/internal/config"

	"github.com/rs/zerolog"
)

// scheduled runs a scheduler for a span of simulated time and returns when its
// job ran, counted from the start.
func scheduled(t *testing.T, spec string, span time.Duration, job func(ctx context.Context, run int) time.Time) (runs []time.Duration) {
	t.Helper()
	schedule, err := config.ParseSchedule(spec, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s := newScheduler(plan{schedule, time.UTC}, zerolog.Nop(), func(ctx context.Context) time.Time {
		runs = append(runs, time.Since(start))
		return job(ctx, len(runs))
	})
	ctx, cancel := context.WithTimeout(context.Background(), span)
	defer cancel()
	s.run(ctx)
	return runs
}

func TestScheduleRunsAtOnceAndOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := scheduled(t, "0 */6 * * *", 7*24*time.Hour-time.Second, func(context.Context, int) time.Time { return time.Time{} })
		if len(runs) != 28 || runs[0] != 0 || runs[1] != 6*time.Hour || runs[27] != 162*time.Hour {
			t.Errorf("%d runs: %v", len(runs), runs)
		}
	})
}

func TestScheduleNeverOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running := 0
		runs := scheduled(t, "* * * * *", time.Hour, func(ctx context.Context, _ int) time.Time {
			running++
			defer func() { running-- }()
			if running > 1 {
				t.Error("two at once")
			}
			time.Sleep(150 * time.Second)
			return time.Time{}
		})
		if len(runs) < 15 || len(runs) > 25 {
			t.Errorf("%d runs: %v", len(runs), runs)
		}
	})
}

func TestScheduleSurvivesAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := scheduled(t, "@hourly", 5*time.Hour+time.Minute, func(_ context.Context, run int) time.Time {
			if run <= 2 {
				panic("a bug")
			}
			return time.Time{}
		})
		if len(runs) != 6 {
			t.Errorf("%d runs: %v", len(runs), runs)
		}
	})
}

func TestScheduleResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := scheduled(t, "@daily", 10*time.Hour, func(_ context.Context, run int) time.Time {
			if run == 1 { // a budget is out for 40 minutes
				return time.Now().Add(40 * time.Minute)
			}
			return time.Time{}
		})
		if len(runs) != 2 || runs[1] < 40*time.Minute || runs[1] > 41*time.Minute {
			t.Errorf("%d runs: %v", len(runs), runs)
		}
	})
}

func TestScheduleForgetsNoResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := scheduled(t, "*/30 * * * *", 59*time.Minute, func(_ context.Context, run int) time.Time {
			if run == 1 { // the tick at 30 minutes comes between, and defers nothing
				return time.Now().Add(40 * time.Minute)
			}
			return time.Time{}
		})
		if len(runs) != 3 || runs[2] < 40*time.Minute || runs[2] > 41*time.Minute {
			t.Errorf("%d runs: %v", len(runs), runs)
		}
	})
}

func TestScheduleRunsSoonWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schedule, err := config.ParseSchedule("@daily", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int32
		s := newScheduler(plan{schedule, time.UTC}, zerolog.Nop(), func(context.Context) time.Time { runs.Add(1); return time.Time{} })
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Hour)
		defer cancel()
		time.AfterFunc(time.Hour+time.Second, s.runSoon)
		time.AfterFunc(time.Hour+2*time.Minute, func() {
			if runs.Load() != 2 {
				t.Errorf("%d runs after it was asked for", runs.Load())
			}
		})
		s.run(ctx)
		if runs.Load() != 2 {
			t.Errorf("%d runs", runs.Load())
		}
	})
}

func TestScheduleWaitsForItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		scheduled(t, "@hourly", time.Second, func(ctx context.Context, _ int) time.Time {
			<-ctx.Done()
			time.Sleep(time.Minute) // stores what arrived
			ended = true
			return time.Time{}
		})
		if !ended {
			t.Error("the scheduler went before its job")
		}
	})
}

// TestSoonIsNotForgotten: what asks for a run while the job runs gets one, although
// the job asks to be resumed much later.
func TestSoonIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schedule, err := config.ParseSchedule("0 0 1 1 *", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now().Add(time.Hour) // not at the tick
		time.Sleep(time.Hour)
		s := newScheduler(plan{schedule, time.UTC}, zerolog.Nop(), nil)
		var runs []time.Duration
		s.job = func(context.Context) time.Time {
			runs = append(runs, time.Since(start))
			if len(runs) > 1 {
				return time.Time{}
			}
			time.Sleep(10 * time.Second)
			s.runSoon()
			return time.Now().Add(50 * time.Minute)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		s.run(ctx)
		if len(runs) != 2 || runs[1] > time.Minute {
			t.Errorf("it ran at %v", runs)
		}
	})
}
