// Package status makes the status of the service: what /status/ and
// /status/packages/… answer. Its types are that JSON; the API serves them, and the
// pages for people draw them.
package status

import (
	"cmp"
	"sync"
	"time"

	"pkgmetad/internal/record"
)

const (
	// PassesShown is how far back the status tells of passes.
	PassesShown = 24 * time.Hour

	mostFailing = 200             // sources that fail, listed
	cachedFor   = 2 * time.Second // a count of all packages is work
)

// Store is what the status is made from.
type Store interface {
	// Summary counts packages by state and by the age of what their sources last
	// said, parted by bounds, and lists at most limit sources that fail.
	Summary(now time.Time, bounds []time.Duration, limit int) (record.Summary, error)
	// Passes returns the reports of the passes that began at since or later, the latest first.
	Passes(since time.Time) ([]record.Pass, error)
	// Find returns a package; ok is false where there is none with this id.
	Find(id int) (p record.Package, ok bool, err error)
}

// Activity is what the program is doing, which the store does not know.
type Activity struct {
	RunningSince time.Time // when the pass that runs now began; zero for none
	NextTick     time.Time // of the schedule
	Budgets      []Budget
	Problems     []record.Problem // what is wrong with the program itself
	Database     *Database        // nil where it is not known
}

// Options say what the status is made from. Only Store is needed.
type Options struct {
	Store    Store
	Activity func() Activity              // nil where nothing is going on; called concurrently
	Snapshot func() (s Snapshot, ok bool) // the one that is served; nil for none
	Zone     *time.Location               // of the times; nil for UTC
}

// Maker makes the status. It is safe for concurrent use.
type Maker struct {
	o     Options
	mu    sync.Mutex
	last  Catalogue
	taken time.Time // when last was made
}

// New returns the maker of the status.
func New(o Options) *Maker {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Maker{o: o}
}

// Catalogue returns the status of the whole catalogue, at most two seconds old.
// Its error is the store's.
func (m *Maker) Catalogue() (Catalogue, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if age := time.Since(m.taken); age >= 0 && age < cachedFor {
		return m.last, nil
	}
	c, err := m.catalogue(time.Now())
	if err == nil {
		m.last, m.taken = c, time.Now()
	}
	return c, err
}

func (m *Maker) catalogue(now time.Time) (c Catalogue, err error) {
	now = now.Truncate(time.Second)
	c = Catalogue{Now: now.In(m.o.Zone), Budgets: []Budget{}, Problems: []record.Problem{}}
	if err := m.count(&c, now); err != nil {
		return c, err
	}
	if m.o.Activity != nil {
		a := m.o.Activity()
		for _, p := range a.Problems {
			p.Since = m.moment(p.Since)
			c.Problems = append(c.Problems, p)
		}
		c.Database = a.Database
		c.RunningSince, c.NextTick = m.moment(a.RunningSince), m.moment(a.NextTick)
		for _, b := range a.Budgets {
			b.Reset, b.HeldUntil = m.moment(b.Reset), m.moment(b.HeldUntil)
			c.Budgets = append(c.Budgets, b)
		}
	}
	if m.o.Snapshot != nil {
		if s, ok := m.o.Snapshot(); ok {
			s.Made = m.moment(s.Made)
			c.Snapshot = &s
		}
	}
	return c, nil
}

// count fills in what the store tells. Where the store fails and that is a known
// problem, the status tells of the problem rather than of nothing.
func (m *Maker) count(c *Catalogue, now time.Time) error {
	sum, sumErr := m.o.Store.Summary(now, ageBounds, mostFailing)
	failing, failingErr := m.failing(sum.Failing)
	passes, passesErr := m.passes(now)
	if err := cmp.Or(sumErr, failingErr, passesErr); err != nil {
		if m.o.Activity == nil || len(m.o.Activity().Problems) == 0 {
			return err
		}
	}
	c.Packages, c.FailingTotal, c.Failing, c.Passes = sum.Packages, sum.AllFailing, failing, passes
	c.GitHub, c.PyPI = totals(sum.GitHub), totals(sum.PyPI)
	return nil
}

// failing returns the sources that fail, with what their packages tell of them.
func (m *Maker) failing(sources []record.Failing) ([]Failing, error) {
	all := []Failing{}
	for _, f := range sources {
		p, ok, err := m.o.Store.Find(f.ID)
		if err != nil {
			return all, err
		}
		if !ok {
			continue // it has left the catalogue meanwhile
		}
		name, source := "github", p.GitHub
		if f.PyPI {
			name, source = "pypi", p.PyPI
		}
		all = append(all, Failing{
			Slug: p.Slug, Title: p.Title, Source: name, State: source.State,
			Since: m.moment(source.FailingSince), Failures: source.Failures, LastError: source.LastError,
		})
	}
	return all, nil
}

// passes returns the reports of the last day's passes.
func (m *Maker) passes(now time.Time) ([]record.Pass, error) {
	stored, err := m.o.Store.Passes(now.Add(-PassesShown))
	all := []record.Pass{}
	for _, p := range stored {
		p.Started = m.moment(p.Started)
		p.GitHub.HeldUntil, p.PyPI.HeldUntil = m.moment(p.GitHub.HeldUntil), m.moment(p.PyPI.HeldUntil)
		all = append(all, p)
	}
	return all, err
}

// moment is a time as the status tells it.
func (m *Maker) moment(t time.Time) time.Time { return t.Truncate(time.Microsecond).In(m.o.Zone) }

// Package returns where the sources of a package stand.
func (m *Maker) Package(p *record.Package) Package {
	return Package{
		Slug: p.Slug, ID: p.ID, Title: p.Title,
		GitHub: source(p.GitHub, m.o.Zone), PyPI: source(p.PyPI, m.o.Zone),
	}
}
