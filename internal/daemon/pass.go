package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"pkgmetad/fetcher"
	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
	"pkgmetad/internal/upstream"
)

// Selection says what a refresh is of: everything, the named packages, or, where
// it is zero, what is due.
type Selection struct {
	All   bool     `json:"all"`
	Slugs []string `json:"slugs"` // or ids
}

// tick does what the schedule asks for: passes or, on one of several hosts, an offer of what is
// due, of which each takes what it can do.
func (r *refresher) tick(ctx context.Context) (resume time.Time) {
	if r.member != nil {
		r.member.offerSoon()
		return time.Time{}
	}
	return r.passes(ctx)
}

// passes runs passes until nothing is due, and returns when to resume what a limit
// deferred; zero for nothing.
func (r *refresher) passes(ctx context.Context) (resume time.Time) {
	defer r.compactIfWorth()
	for r.paused.Load() == nil {
		report, err := r.pass(ctx)
		r.tellPass(report, err, true)
		resume = report.Resume()
		if err != nil || ctx.Err() != nil || resume.IsZero() || resume.After(time.Now()) {
			return resume
		}
	}
	return time.Time{}
}

// pass runs one pass over what is due, unless nothing it learns could be stored.
func (r *refresher) pass(ctx context.Context) (record.Pass, error) {
	if err := r.health.writable(); err != nil {
		return record.Pass{}, err // told once, when it began
	}
	return r.passBy(ctx, r.fetcher)
}

// passBy has a fetcher run a pass, of which the status tells.
func (r *refresher) passBy(ctx context.Context, f *fetcher.Fetcher) (record.Pass, error) {
	now := time.Now()
	r.passSince.CompareAndSwap(nil, &now)
	r.passing.Add(1)
	defer func() {
		if r.passing.Add(-1) == 0 {
			r.passSince.Store(nil)
			r.passProgress.Store(nil)
		}
	}()
	report, err := f.RefreshDue(ctx, func(p fetcher.Progress) { r.passProgress.Store(&p) })
	r.endPass(report, err)
	return report, err
}

// refresh runs a pass on demand, unless nothing it learns could be stored. On one of several
// hosts, others do what they alone may ask about.
func (r *refresher) refresh(ctx context.Context, which Selection, progress func(fetcher.Progress)) (report record.Pass, err error) {
	if err := r.health.writable(); err != nil {
		return report, err
	}
	d := demand{all: which.All}
	if len(which.Slugs) > 0 && !which.All {
		slugs, err := r.slugs(which.Slugs)
		if err != nil {
			return report, err
		}
		if d.sources, err = r.fetcher.Sources(slugs); err != nil {
			return report, err
		}
	}
	if r.member != nil {
		return r.member.refresh(ctx, d, progress)
	}
	return r.refreshHere(ctx, d, progress)
}

// A demand is what a refresh by hand is of: everything, some sources, or, where it is zero,
// what is due.
type demand struct {
	all     bool
	classes []string // everything of these classes alone; nil for all
	sources []record.Source
}

func (d *demand) skips(key record.Key) bool {
	return d.classes != nil && !slices.Contains(d.classes, classOf(key))
}

// refreshHere does what this host may ask about, and defers the rest.
func (r *refresher) refreshHere(ctx context.Context, d demand, progress func(fetcher.Progress)) (report record.Pass, err error) {
	switch {
	case d.all:
		report, err = r.fetcher.RefreshAll(ctx, d.skips, progress)
	case len(d.sources) > 0:
		report, err = r.fetcher.RefreshSources(ctx, d.sources, progress)
	default:
		report, err = r.fetcher.RefreshDue(ctx, progress)
	}
	r.endPass(report, err)
	r.tellPass(report, err, false)
	return report, err
}

// slugs returns the slugs of the packages with these ids or slugs.
func (r *refresher) slugs(keys []string) (slugs []string, err error) {
	var problems []error
	for _, key := range keys {
		p, err := find(r.store, key)
		slugs, problems = append(slugs, p.Slug), append(problems, err)
	}
	return slugs, errors.Join(problems...)
}

// endPass does what follows every pass: it stores the report, which /status/ shows,
// and forgets the deletions that the feed has listed for long enough. Readers need
// nothing from here: snapshot and search follow the store.
func (r *refresher) endPass(report record.Pass, passErr error) {
	now := time.Now()
	r.health.tell()
	if report.Asked > 0 || passErr != nil { // else nothing was due: no news
		if err := r.store.LogPass(report, now.Add(-status.PassesShown)); err != nil && passErr == nil {
			r.log.Error().Err(err).Msg("/status/ will not list the pass that ended now")
		}
	}
	if passErr != nil {
		return
	}
	if err := r.store.Forget(now.Add(-r.cfg().Store.KeepDeletions)); err != nil {
		r.log.Error().Err(err).Msg("old deletions stay in the feed of changes until the next pass")
	}
}

// tellPass tells onPass how a pass ended. One on schedule that could not begin has
// ended too; on demand that is an answer to whoever asked.
func (r *refresher) tellPass(report record.Pass, passErr error, scheduled bool) {
	if r.onPass == nil || report.Started.IsZero() && !scheduled {
		return
	}
	if passErr != nil && report.Error == "" {
		report.Error = passErr.Error()
	}
	r.onPass(&report, scheduled)
}

// activity tells /status/ what the store does not know: what runs, what comes next,
// and what the upstreams allow.
func (d *Daemon) activity() status.Activity {
	r := d.refresher
	a := status.Activity{NextTick: d.scheduler.next(time.Now()), Reload: r.reloaded.Load(), Problems: d.problems()}
	if size, free := r.store.Space(); size > 0 {
		a.Database = &status.Database{Bytes: size, Free: free}
	}
	if since := r.passSince.Load(); since != nil {
		a.RunningSince = *since
	}
	if since := r.paused.Load(); since != nil {
		a.PausedSince = *since
	}
	if r.member != nil {
		a.Cluster = r.member.standing(time.Now())
	}
	now := r.settings.Load()
	a.Budgets = gitHubBudgets(now.github)
	pyPI := status.Budget{Name: "PyPI"} // which tells of no limit until one is met
	stand(&pyPI, now.pypi.Hold(), now.pypi.Fault())
	a.Budgets = append(a.Budgets, pyPI)
	return a
}

// gitHubBudgets tells what each credential may still ask.
func gitHubBudgets(client *github.Client) (all []status.Budget) {
	for _, c := range client.Credentials() {
		b := status.Budget{
			Name: "GitHub", Credential: c.Name, Kind: string(c.Kind), Expires: c.Expires,
			Known: c.Requests.Known, Limit: c.Requests.Limit, Remaining: c.Requests.Remaining, Reset: c.Requests.Reset,
		}
		stand(&b, c.Hold, c.Fault)
		if p := c.Points; p.Known {
			b.Points = &status.Points{Limit: p.Limit, Remaining: p.Remaining, Reset: p.Reset}
		}
		all = append(all, b)
	}
	return all
}

// stand tells why nothing is asked, and what is wrong. While another host asks, it is that
// host's to tell.
func stand(b *status.Budget, hold upstream.Hold, fault string) {
	if hold.Elsewhere {
		b.Elsewhere = true
		return
	}
	b.HeldUntil, b.Reason, b.Fault = hold.Until, hold.Reason, fault
}
