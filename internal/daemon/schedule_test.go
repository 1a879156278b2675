package daemon

import (
	"context"
	"slices"
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

// TestScheduleTellsOnce that a pass takes longer than the schedule leaves it.
func TestScheduleTellsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		schedule, err := config.ParseSchedule("* * * * *", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		log, runs := new(lines), 0
		s := newScheduler(plan{schedule, time.UTC}, zerolog.New(log), func(ctx context.Context) time.Time {
			runs++
			time.Sleep(330 * time.Second)
			return time.Time{}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		s.run(ctx)
		x := &trial{t: t, log: log}
		told, all := x.logged(`"level":"info"`, "still running"), x.logged("still running")
		if told < runs-1 || told > runs || runs < 9 || all < 4*(runs-1) { // the last run may have met no tick
			t.Errorf("told %d times of %d ticks that were left out in %d runs", told, all, runs)
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

// TestYearOfSchedule: in a simulated year every tick that should happen does, once:
// over the changes to and from summer time, a leap day and the end of the year.
func TestYearOfSchedule(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for spec, matches := range map[string]func(time.Time) bool{
		"*/30 * * * *": func(at time.Time) bool { return at.Minute()%30 == 0 },
		"30 2 * * *":   func(at time.Time) bool { return at.Hour() == 2 && at.Minute() == 30 },
		"0 0 29 2 *": func(at time.Time) bool {
			return at.Month() == 2 && at.Day() == 29 && at.Hour() == 0 && at.Minute() == 0
		},
		"59 23 31 12 *": func(at time.Time) bool { return at.YearDay() == 366 && at.Hour() == 23 && at.Minute() == 59 },
	} {
		t.Run(spec, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const year = 366 * 24 * time.Hour // 2000, which synctest begins at
				schedule, err := config.ParseSchedule(spec, berlin)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				var want []time.Time
				for at := start.Add(time.Minute); at.Before(start.Add(year)); at = at.Add(time.Minute) {
					if matches(at.In(berlin)) {
						want = append(want, at.UTC())
					}
				}
				var runs []time.Time
				s := newScheduler(plan{schedule, berlin}, zerolog.Nop(), func(context.Context) time.Time {
					if at := time.Now(); !at.Equal(start) { // the one at the start aside
						runs = append(runs, at.UTC())
					}
					return time.Time{}
				})
				ctx, cancel := context.WithTimeout(t.Context(), year-time.Second)
				defer cancel()
				s.run(ctx)
				if len(want) == 0 || !slices.EqualFunc(runs, want, time.Time.Equal) {
					t.Errorf("%d runs, not the %d that there should be", len(runs), len(want))
				}
			})
		})
	}
}

// TestClockSteps: when the wall clock jumps, forth as after a sleep or back, a pass
// begins; when it is only adjusted, none does.
func TestClockSteps(t *testing.T) {
	for _, step := range []time.Duration{9 * time.Hour, time.Minute, -time.Hour, -10 * 24 * time.Hour, 2 * time.Second, -time.Second} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				schedule, err := config.ParseSchedule("@yearly", time.UTC)
				if err != nil {
					t.Fatal(err)
				}
				runs := 0
				s := newScheduler(plan{schedule, time.UTC}, zerolog.Nop(), func(context.Context) time.Time { runs++; return time.Time{} })
				stepped := time.Now().Add(10 * time.Minute)
				s.wall = func() time.Time {
					if now := time.Now(); now.After(stepped) {
						return now.Round(0).Add(step)
					}
					return time.Now().Round(0)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				s.run(ctx)
				want := 1 // at the start
				if step.Abs() > clockStep {
					want = 2
				}
				if runs != want {
					t.Errorf("%d runs, not %d", runs, want)
				}
			})
		})
	}
}

// TestNewPlan: a plan that is changed counts from then on, and the job that runs goes on.
func TestNewPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily, err := config.ParseSchedule("@daily", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		hourly, err := config.ParseSchedule("@hourly", time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var runs []time.Duration
		s := newScheduler(plan{daily, time.UTC}, zerolog.Nop(), func(context.Context) time.Time {
			runs = append(runs, time.Since(start))
			if len(runs) == 1 {
				time.Sleep(100 * time.Minute) // over the change, and a tick of the new plan
			}
			return time.Time{}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Hour+time.Minute)
		defer cancel()
		time.AfterFunc(30*time.Minute, func() { s.follow(plan{hourly, time.UTC}) })
		s.run(ctx)
		if want := []time.Duration{0, 2 * time.Hour, 3 * time.Hour, 4 * time.Hour}; !slices.Equal(runs, want) {
			t.Errorf("it ran at %v, not at %v", runs, want)
		}
	})
}
