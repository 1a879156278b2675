package main

import (
	"context"
	"encoding/json"
	"time"

	"pkgmetad/api"
	"pkgmetad/fetcher"
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

// afterPass keeps what a pass did for the status, brings the snapshot up to
// date, and forgets the deletions that the feed has told of for long enough.
func (p *parts) afterPass(report fetcher.Report, passErr error) {
	now := time.Now()
	if report.Asked > 0 || passErr != nil { // else nothing was due: no news
		told, err := json.Marshal(toldOf(report, passErr))
		if err == nil {
			err = p.store.LogPass(report.Started, told, now.Add(-api.PassesShown))
		}
		if err != nil {
			p.log.Error().Err(err).Msg("the status will not tell of this pass")
		}
	}
	if err := p.store.Forget(now.Add(-p.cfg.Store.KeepDeletions)); err != nil {
		p.log.Error().Err(err).Msg("old deletions stay in the feed of changes until the next pass")
	}
	if p.snapshots != nil {
		p.snapshots.Update()
	}
}

func toldOf(r fetcher.Report, err error) api.Pass {
	told := api.Pass{
		Started: r.Started.UTC(), DurationSeconds: r.Duration.Seconds(),
		Asked: r.Asked, Fresh: r.Fresh, Unchanged: r.Unchanged, Pending: r.Pending,
		Failed: r.Failed, Gone: r.Gone, Deferred: r.Deferred, Abandoned: r.Abandoned,
	}
	told.GitHub.Requests, told.GitHub.Charged = r.GitHub.Requests, r.GitHub.Charged
	told.GitHub.HeldUntil, told.GitHub.Reason = r.GitHub.Hold, r.GitHub.Reason
	told.PyPI.Requests, told.PyPI.Charged = r.PyPI.Requests, r.PyPI.Charged
	told.PyPI.HeldUntil, told.PyPI.Reason = r.PyPI.Hold, r.PyPI.Reason
	if err != nil {
		told.Error = err.Error()
	}
	return told
}

// running tells the status what the store does not know.
func (p *parts) running(s *scheduler) api.Running {
	r := api.Running{NextTick: s.next(time.Now())}
	if since := p.passSince.Load(); since != nil {
		r.Since = *since
	}
	b := p.github.Budget()
	gitHub := api.Budget{Name: "GitHub", Known: b.Known, Limit: b.Limit, Remaining: b.Remaining, Reset: b.Reset}
	gitHub.HeldUntil, gitHub.Reason = p.github.Hold()
	pyPI := api.Budget{Name: "PyPI"} // which tells of no limit until it is met
	pyPI.HeldUntil, pyPI.Reason = p.pypi.Hold()
	r.Budgets = []api.Budget{gitHub, pyPI}
	return r
}
