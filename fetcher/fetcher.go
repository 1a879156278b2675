// Package fetcher keeps what is known of repositories and projects fresh. One
// [Fetcher.Pass] takes the sources that are due out of the store, has a bounded
// pool of workers ask GitHub and PyPI about them, merges each answer with what was
// known ([Merge], a pure function) and hands the result back to the store in
// batches.
//
// The data goes one way. Workers neither read nor write the store; one
// goroutine, the one that runs the pass, owns the queue and the batch. A source is
// asked once, however many packages refer to it, and its failure touches no other
// one. A pass that is cancelled stores what had arrived and changes nothing else.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
	"pkgmetad/pypi"
)

// Store is where a pass takes sources from and puts them back.
type Store interface {
	// Due returns the first sources that are due at now, in the given order and at most
	// limit, and whether there are more. An error beside sources names those that could
	// not be read; the ones returned are good.
	Due(now time.Time, limit int, by record.Order) (sources []record.Source, more bool, err error)
	// Reschedule makes sources due whose times cannot be right at now, or are after what
	// latest returns, and returns how many. limits names what latest returns.
	Reschedule(now time.Time, latest func(*record.Source) time.Time, limits string) (int, error)
	// SourcesAfter returns up to limit sources with a key above the given one, by
	// key. An error beside sources is as with Due.
	SourcesAfter(key record.Key, limit int) ([]record.Source, error)
	// Sources returns the sources that one package refers to, or record.ErrNotFound.
	Sources(slug string) ([]record.Source, error)
	// Put stores what was learnt of sources, all of it or nothing.
	Put([]record.Source) error
	// Projects returns the normalised names of up to limit projects, ascending.
	Projects(limit int) ([]string, error)
	// Index returns what was last stored by PutIndex, zero for nothing.
	Index() (record.Index, error)
	// PutIndex stores that PyPI's index was read.
	PutIndex(record.Index) error
}

// Upstream tells how an upstream as a whole is.
type Upstream interface {
	// Hold returns why nothing may be asked now, and until when; zero for no hold.
	Hold() upstream.Hold
	// Fault returns what is wrong with the upstream, until it answers again; "" for
	// nothing.
	Fault() string
}

// GitHub answers questions about repositories.
type GitHub interface {
	// Fetch asks for parts of a repository. It waits for its turn, a minute at most, and
	// for nothing else.
	Fetch(context.Context, github.Question) github.Answer
	// Sweeps reports whether many repositories can be asked about in one query.
	Sweeps() bool
	// Sweep asks for the numbers and the head of each repository; one answer an item.
	Sweep(context.Context, []github.SweepItem) ([]github.Swept, github.Cost)
	// Log asks for a page of each history; one answer a question.
	Log(context.Context, []github.LogQuestion) ([]github.LogPage, github.Cost)
	// Plan tells how many questions are about to be put, and returns how long they take
	// where the budget does not suffice, 0 where it does.
	Plan(questions int) time.Duration
	// PlanQueries tells how many queries to GraphQL are about to be put.
	PlanQueries(queries int)
	Upstream
}

// PyPI answers questions about projects. It waits for no more than its turn.
type PyPI interface {
	// Fetch asks for a project.
	Fetch(context.Context, pypi.Question) pypi.Answer
	// Page asks for a project's page in the index; etag is that of the last answer, ""
	// for none.
	Page(ctx context.Context, name, etag string) pypi.PageAnswer
	// Index reads the index of all projects, and calls project for each; etag is that of
	// the last answer, "" for none.
	Index(ctx context.Context, etag string, project func(name []byte, serial int64)) pypi.IndexAnswer
	Upstream
}

// Options configures a Fetcher.
type Options struct {
	Store       Store
	GitHub      GitHub
	PyPI        PyPI
	Policy      Policy
	Workers     int                   // requests of a pass in flight at once; 0 means 8
	PyPIWorkers int                   // of these, requests to PyPI; 0 means as many
	MaxSources  int                   // sources that one pass takes; 0 means 10,000
	IndexAbove  int                   // with more projects than this, PyPI's index tells which of them to ask; 0 means 3,000
	Reads       func() map[int]uint64 // how often packages were read lately, by id, for the order of a pass; nil if unknown
	PendingWait time.Duration         // what a pass waits, when all else is done, for answers being computed; 0 means not at all
	Log         zerolog.Logger
}

// Fetcher runs passes. It is safe for concurrent use.
type Fetcher struct {
	options atomic.Pointer[Options]
	long    chan struct{} // holds a token while a pass over many sources runs

	ways  ways
	index indexReader // for whoever holds that token

	faultsMu sync.Mutex
	faults   map[string]string // of the upstreams, as last logged
}

// New returns a Fetcher over o.
func New(o Options) *Fetcher {
	f := &Fetcher{long: make(chan struct{}, 1), faults: map[string]string{}}
	f.Configure(o)
	return f
}

// Configure replaces the options. A pass that runs keeps those that it began with.
func (f *Fetcher) Configure(o Options) {
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.MaxSources <= 0 {
		o.MaxSources = 10_000
	}
	if o.IndexAbove <= 0 {
		o.IndexAbove = 3_000
	}
	f.options.Store(&o)
}

// Pass refreshes the sources that are due, up to MaxSources, and logs its report in one
// line. Those come first that have never answered, then those that are overdue by more of
// their interval, then those of packages that are read more.
//
// It returns when every answer is stored. Cancelling ctx ends it early: what
// arrived is stored, nothing else changes, and the error is nil. An error
// means that sources could not be read or written; what the report counts as
// fresh may then not be stored, and is still due.
//
// Only one Pass, RefreshDue or RefreshAll runs at a time; a second one waits
// for the first.
func (f *Fetcher) Pass(ctx context.Context) (record.Pass, error) {
	return f.RefreshDue(ctx, nil)
}

// RefreshDue is Pass, watched: it calls progress, unless nil, from one
// goroutine after each source.
func (f *Fetcher) RefreshDue(ctx context.Context, progress func(Progress)) (record.Pass, error) {
	done, err := f.waitForTurn(ctx)
	if err != nil {
		return record.Pass{Cancelled: true}, nil
	}
	defer done()

	p := f.newPass(ctx, progress)
	if err := p.reschedule(); err != nil {
		return p.finish(err)
	}
	indexErr := p.readIndex()
	sources, more, readErr := p.Store.Due(time.Now(), p.MaxSources, record.Order{StaleAfter: p.Policy.StaleAfter, Reads: p.Reads, Skip: p.mustWait()})
	p.announce(sources)
	err = p.run(jobsOf(sources))
	p.report.More = more && !p.report.Cancelled
	return p.finish(errors.Join(indexErr, readErr, err))
}

// Reschedule is what every pass begins with: it makes due what would have to wait for too
// long. It is for who decides without a pass what is due.
func (f *Fetcher) Reschedule() error { return f.newPass(context.Background(), nil).reschedule() }

// reschedule makes due what a clock that was ahead, or a policy or an interval that has
// changed, would have wait for too long.
func (p *pass) reschedule() error {
	n, err := p.Store.Reschedule(time.Now(), p.Policy.latest, p.Policy.limits())
	if n > 0 {
		p.Log.Warn().Int("sources", n).Msg("due earlier than planned: they were asked at a time that is still ahead, or were due later than the settings allow; was the clock wrong, or a stale_after, refresh.active_after or retry_max lowered?")
	}
	return err
}

// RefreshAll is RefreshDue for every source, due or not, except those for which skip is true;
// nil skips none.
func (f *Fetcher) RefreshAll(ctx context.Context, skip func(record.Key) bool, progress func(Progress)) (record.Pass, error) {
	done, err := f.waitForTurn(ctx)
	if err != nil {
		return record.Pass{Cancelled: true}, nil
	}
	defer done()

	p := f.newPass(ctx, progress)
	p.everything = true
	var last record.Key
	var damaged error
	if skip == nil || !skip(record.ProjectKey("any")) {
		damaged = p.readIndex()
	}
	for ctx.Err() == nil {
		sources, err := p.Store.SourcesAfter(last, p.MaxSources)
		damaged = errors.Join(damaged, err)
		if len(sources) == 0 {
			break
		}
		last = sources[len(sources)-1].Key
		sources = slices.DeleteFunc(sources, func(s record.Source) bool {
			return skip != nil && skip(s.Key) || p.isConfirmed(s)
		})
		p.announce(sources)
		if err := p.run(jobsOf(alternate(sources))); err != nil {
			return p.finish(errors.Join(damaged, err))
		}
	}
	return p.finish(damaged)
}

// announce tells GitHub's client what it is going to be asked, and the log how long that
// takes. Where repositories are swept, REST is asked about those that are new.
func (p *pass) announce(sources []record.Source) {
	repos, all := 0, 0
	sweeps := p.GitHub.Sweeps()
	for i := range sources {
		if _, project := sources[i].Key.Project(); project {
			continue
		}
		all++
		if known := sources[i].Repo; !sweeps || known == nil || known.Counting == nil {
			repos++
		}
	}
	if sweeps {
		p.GitHub.PlanQueries(2 * (all/github.MaxSweep + 1)) // a sweep, and about as many for histories
	}
	if takes := p.GitHub.Plan(repos); takes > 0 {
		p.Log.Info().Int("repositories", repos).Stringer("takes_about", takes.Round(time.Minute)).
			Msg("GitHub's budget does not suffice for what is due: it is spread until its reset, and the rest waits for that")
	}
}

// Sources returns the sources of the named packages, each once. A slug that the store does
// not know, or that has no source to ask, is an error.
func (f *Fetcher) Sources(slugs []string) (sources []record.Source, err error) {
	var problems []error
	seen := map[record.Key]bool{}
	for _, slug := range slugs {
		found, err := f.options.Load().Store.Sources(slug)
		switch {
		case errors.Is(err, record.ErrNotFound):
			err = fmt.Errorf("no package has the slug %q; the catalogue declares them, and a running daemon reads it again on SIGHUP", slug)
		case err == nil && len(found) == 0:
			err = fmt.Errorf("package %s has nothing to ask for: the catalogue gives it no repository and no project, or none that can be asked; pkgmetad show tells which", slug)
		}
		if err != nil {
			problems = append(problems, err)
		}
		for _, source := range found {
			if !seen[source.Key] {
				seen[source.Key] = true
				sources = append(sources, source)
			}
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return sources, nil
}

// RefreshSources refreshes sources, due or not, beside any other pass.
func (f *Fetcher) RefreshSources(ctx context.Context, sources []record.Source, progress func(Progress)) (record.Pass, error) {
	p := f.newPass(upstream.Insist(ctx), progress)
	p.byHand, p.everything = true, true
	return p.finish(p.run(jobsOf(sources)))
}

// mustWait returns a function that reports, and counts, the sources that no request
// may be made for now. Left in their place they would be due, and deferred, again and
// again, and keep others out of the pass.
func (p *pass) mustWait() func(record.Key) bool {
	gitHubHeld, pyPIHeld := !p.GitHub.Hold().Until.IsZero(), !p.PyPI.Hold().Until.IsZero()
	if !gitHubHeld && !pyPIHeld {
		return nil
	}
	return func(key record.Key) bool {
		use, held := &p.report.GitHub, gitHubHeld
		if _, project := key.Project(); project {
			use, held = &p.report.PyPI, pyPIHeld
		}
		if held {
			use.Waiting++
		}
		return held
	}
}

// waitForTurn waits until no other pass goes over many sources.
func (f *Fetcher) waitForTurn(ctx context.Context) (done func(), err error) {
	select {
	case f.long <- struct{}{}:
		return func() { <-f.long }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// alternate puts repositories and projects in turn, so that both upstreams have
// something to do from the start.
func alternate(sources []record.Source) []record.Source {
	var repos, projects []record.Source
	for _, s := range sources {
		if _, ok := s.Key.Project(); ok {
			projects = append(projects, s)
		} else {
			repos = append(repos, s)
		}
	}
	mixed := make([]record.Source, 0, len(sources))
	for i := range max(len(repos), len(projects)) {
		if i < len(repos) {
			mixed = append(mixed, repos[i])
		}
		if i < len(projects) {
			mixed = append(mixed, projects[i])
		}
	}
	return mixed
}

func jobsOf(sources []record.Source) []*job {
	jobs := make([]*job, len(sources))
	for i := range sources {
		jobs[i] = &job{prev: sources[i]}
	}
	return jobs
}

// Progress tells a person how far a refresh is.
type Progress struct {
	Done    int        `json:"done"` // sources
	Total   int        `json:"total"`
	Key     record.Key `json:"key"`
	Outcome string     `json:"outcome"`         // the word that the report counts the source under
	Error   string     `json:"error,omitempty"` // why it failed, is gone or had to be deferred
}

// workers runs n workers over jobs and returns a function that waits for their end.
func workers(n int, work func()) (wait func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(work)
	}
	return wg.Wait
}
