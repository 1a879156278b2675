package main

import (
	"context"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// onePass runs one pass, and does what is to be done after each.
func (p *parts) onePass(ctx context.Context) (fetcher.Report, error) {
	now := time.Now()
	p.passSince.Store(&now)
	defer p.passSince.Store(nil)
	report, err := p.fetcher.Pass(ctx)
	p.afterPass(report, err)
	return report, err
}

// afterPass keeps what a pass did for the status, and forgets the deletions that
// the feed has told of for long enough.
func (p *parts) afterPass(report fetcher.Report, passErr error) {
	now := time.Now()
	if report.Asked > 0 || passErr != nil { // else nothing was due: no news
		if err := p.store.LogPass(passOf(report, passErr), now.Add(-status.PassesShown)); err != nil {
			p.log.Error().Err(err).Msg("the status will not tell of this pass")
		}
	}
	if err := p.store.Forget(now.Add(-p.cfg.Store.KeepDeletions)); err != nil {
		p.log.Error().Err(err).Msg("old deletions stay in the feed of changes until the next pass")
	}
}

func passOf(r fetcher.Report, err error) record.Pass {
	pass := record.Pass{
		Started: r.Started.UTC(), DurationSeconds: r.Duration.Seconds(), Tally: r.Tally,
		GitHub: record.Use{Requests: r.GitHub.Requests, Charged: r.GitHub.Charged, HeldUntil: r.GitHub.Hold, Reason: r.GitHub.Reason},
		PyPI:   record.Use{Requests: r.PyPI.Requests, Charged: r.PyPI.Charged, HeldUntil: r.PyPI.Hold, Reason: r.PyPI.Reason},
	}
	if err != nil {
		pass.Error = err.Error()
	}
	return pass
}

// activity tells the status what the store does not know.
func (p *parts) activity(s *scheduler) status.Activity {
	a := status.Activity{NextTick: s.next(time.Now())}
	if since := p.passSince.Load(); since != nil {
		a.RunningSince = *since
	}
	b := p.github.Budget()
	gitHub := status.Budget{Name: "GitHub", Known: b.Known, Limit: b.Limit, Remaining: b.Remaining, Reset: b.Reset}
	gitHub.HeldUntil, gitHub.Reason = p.github.Hold()
	pyPI := status.Budget{Name: "PyPI"} // which tells of no limit until one is met
	pyPI.HeldUntil, pyPI.Reason = p.pypi.Hold()
	a.Budgets = []status.Budget{gitHub, pyPI}
	return a
}
