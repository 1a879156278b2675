package main

import (
	"context"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// onePass runs one pass, and does what is to be done after each.
func (p *parts) onePass(ctx context.Context) (record.Pass, error) {
	now := time.Now()
	p.passSince.Store(&now)
	defer p.passSince.Store(nil)
	report, err := p.fetcher.Pass(ctx)
	p.afterPass(report, err)
	return report, err
}

// afterPass keeps what a pass did for the status, and forgets the deletions that
// the feed has told of for long enough.
func (p *parts) afterPass(report record.Pass, passErr error) {
	now := time.Now()
	if report.Asked > 0 || passErr != nil { // else nothing was due: no news
		if err := p.store.LogPass(report, now.Add(-status.PassesShown)); err != nil {
			p.log.Error().Err(err).Msg("the status will not tell of this pass")
		}
	}
	if err := p.store.Forget(now.Add(-p.cfg.Store.KeepDeletions)); err != nil {
		p.log.Error().Err(err).Msg("old deletions stay in the feed of changes until the next pass")
	}
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
