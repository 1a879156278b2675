// Package fetcher keeps the records fresh. One [Fetcher.Pass] takes the
// records that are due out of the store, has a bounded pool of workers ask
// GitHub and PyPI about each, both at once, merges the answers with what was
// known ([Merge], a pure function) and hands the result back to the store in
// batches.
//
// The data goes one way. Workers neither read nor write the store; one
// goroutine, the one that runs the pass, owns the queue and the batch. No
// failure of one source touches what the other one said, and a pass that is
// cancelled stores what had arrived and changes nothing else.
package fetcher

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/github"
	"pkgmetad/internal/record"
	"pkgmetad/pypi"
	"pkgmetad/store"
)

// Store is where a pass takes records from and puts them back.
type Store interface {
	// Due returns up to limit records with a source due at now, oldest success
	// first, and whether there are more. An error beside records names those
	// that could not be read; the ones returned are good.
	Due(now time.Time, limit int) (recs []record.Package, more bool, err error)
	// After returns up to limit fetchable records with an id above the given
	// one, by id. An error beside records is as with Due.
	After(id, limit int) ([]record.Package, error)
	// PackageBySlug returns one record, or store.ErrNotFound.
	PackageBySlug(slug string) (record.Package, error)
	// Put stores the fetched halves, all of them or none.
	Put([]record.Package) error
}

// GitHub answers questions about repositories.
type GitHub interface {
	// Fetch asks for parts of a repository. It never sleeps.
	Fetch(ctx context.Context, q github.Question) github.Answer
	// Hold returns until when no request may be made, and why; zero for none.
	Hold() (until time.Time, reason string)
}

// PyPI answers questions about projects.
type PyPI interface {
	// Fetch asks for a project; etag is the validator of what is known. It never sleeps.
	Fetch(ctx context.Context, name, etag string) pypi.Answer
	// Hold returns until when no request may be made, and why; zero for none.
	Hold() (until time.Time, reason string)
}

// Options configures a Fetcher.
type Options struct {
	Store       Store
	GitHub      GitHub
	PyPI        PyPI
	Policy      Policy
	Workers     int           // packages asked about at once; 0 means 8
	MaxPackages int           // packages that one pass takes; 0 means 10,000
	PendingWait time.Duration // what a pass waits, when all else is done, for answers being computed; 0 means not at all
	Log         zerolog.Logger
}

// Fetcher runs passes. It is safe for concurrent use.
type Fetcher struct {
	Options
	whole chan struct{} // a token, held by the one pass that may go over many packages
}

// New returns a Fetcher over o.
func New(o Options) *Fetcher {
	if o.Workers <= 0 {
		o.Workers = 8
	}
	if o.MaxPackages <= 0 {
		o.MaxPackages = 10_000
	}
	return &Fetcher{Options: o, whole: make(chan struct{}, 1)}
}

// Pass refreshes the sources that are due, those with the oldest success
// first, up to MaxPackages packages, and logs its report in one line.
//
// It returns when every answer is stored. Cancelling ctx ends it early: what
// arrived is stored, nothing else changes, and the error is nil. An error
// means that records could not be read or written; what the report counts as
// fresh may then not be stored, and is still due.
//
// Only one Pass, RefreshDue or RefreshAll runs at a time; a second one waits
// for the first.
func (f *Fetcher) Pass(ctx context.Context) (Report, error) {
	return f.RefreshDue(ctx, nil)
}

// RefreshDue is Pass, watched: it calls progress, unless nil, from one
// goroutine after each package.
func (f *Fetcher) RefreshDue(ctx context.Context, progress func(Progress)) (Report, error) {
	done, err := f.lock(ctx)
	if err != nil {
		return Report{Cancelled: true}, nil
	}
	defer done()

	p := f.newPass(ctx, progress)
	recs, more, readErr := f.Store.Due(time.Now(), f.MaxPackages)
	err = p.run(dueJobs(recs, time.Now()))
	p.report.More = more && !p.report.Cancelled
	return p.finish(errors.Join(readErr, err))
}

// RefreshAll is RefreshDue for every package that can be asked about, due or not.
func (f *Fetcher) RefreshAll(ctx context.Context, progress func(Progress)) (Report, error) {
	done, err := f.lock(ctx)
	if err != nil {
		return Report{Cancelled: true}, nil
	}
	defer done()

	p := f.newPass(ctx, progress)
	last := 0
	var damaged error
	for ctx.Err() == nil {
		recs, err := f.Store.After(last, f.MaxPackages)
		damaged = errors.Join(damaged, err)
		if len(recs) == 0 {
			break
		}
		last = recs[len(recs)-1].ID
		if err := p.run(allJobs(recs)); err != nil {
			return p.finish(errors.Join(damaged, err))
		}
	}
	return p.finish(damaged)
}

// Refresh refreshes the named packages, due or not, beside any other pass. A
// slug that the store does not know, or that has no source to ask, is an
// error, and then nothing is asked.
func (f *Fetcher) Refresh(ctx context.Context, slugs []string, progress func(Progress)) (Report, error) {
	var recs []record.Package
	var unknown []error
	seen := map[string]bool{}
	for _, slug := range slugs {
		if seen[slug] {
			continue
		}
		seen[slug] = true
		rec, err := f.Store.PackageBySlug(slug)
		if errors.Is(err, store.ErrNotFound) {
			err = fmt.Errorf("no package has the slug %q; the catalogue declares them, and a running daemon reads it again on SIGHUP", slug)
		} else if err == nil && !rec.GitHub.State.Fetchable() && !rec.PyPI.State.Fetchable() {
			err = fmt.Errorf("package %s has nothing to ask for: its repository URL is %s, its PyPI URL %s", slug, rec.GitHub.State, rec.PyPI.State)
		}
		if err != nil {
			unknown = append(unknown, err)
		}
		recs = append(recs, rec)
	}
	if len(unknown) > 0 {
		return Report{}, errors.Join(unknown...)
	}
	p := f.newPass(ctx, progress)
	return p.finish(p.run(allJobs(recs)))
}

// lock waits until no other pass goes over many packages.
func (f *Fetcher) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case f.whole <- struct{}{}:
		return func() { <-f.whole }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func dueJobs(recs []record.Package, now time.Time) []*job {
	jobs := make([]*job, 0, len(recs))
	for _, rec := range recs {
		j := &job{prev: rec, askPyPI: rec.PyPI.IsDue(now)}
		if rec.GitHub.IsDue(now) {
			j.parts = github.AllParts
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func allJobs(recs []record.Package) []*job {
	jobs := make([]*job, 0, len(recs))
	for _, rec := range recs {
		j := &job{prev: rec, askPyPI: rec.PyPI.State.Fetchable()}
		if rec.GitHub.State.Fetchable() {
			j.parts = github.AllParts
		}
		jobs = append(jobs, j)
	}
	return jobs
}

// Judge tells which sources of an entry can be asked, with a sentence for each
// that has a URL and can't. It is what a store.Store judges entries by.
func Judge(e record.Entry) (gitHub, pyPI record.State, problems []string) {
	judge := func(url *string, parse func(string) error, blank error) record.State {
		if url == nil {
			return record.StateNone
		}
		switch err := parse(*url); {
		case err == nil:
			return record.StateNew
		case errors.Is(err, blank):
			return record.StateNone
		default:
			problems = append(problems, err.Error())
			return record.StateUnsupported
		}
	}
	gitHub = judge(e.RepoURL, func(s string) error { _, err := github.ParseURL(s, github.GitHubHost); return err }, github.ErrNoURL)
	pyPI = judge(e.PyPIURL, func(s string) error { _, err := pypi.ParseURL(s); return err }, pypi.ErrNoURL)
	return gitHub, pyPI, problems
}

// Progress tells a person how far a refresh is.
type Progress struct {
	Done    int    `json:"done"` // packages
	Total   int    `json:"total"`
	Slug    string `json:"slug"`
	Outcome string `json:"outcome"`         // the word that the report counts the package under
	Error   string `json:"error,omitempty"` // of the halves that failed, are gone or had to be deferred
}

// workers runs n workers over jobs and returns a function that waits for their end.
func workers(n int, work func()) (wait func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(work)
	}
	return wg.Wait
}
