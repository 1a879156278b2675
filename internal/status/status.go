// Package status reports the state of the service, as /status/ and
// /status/packages/… answer it. Its types are that JSON; the API serves them as it,
// and the HTML pages show them.
package status

import (
	"cmp"
	"sync"
	"time"

	"pkgmetad/internal/record"
)

const (
	// PassesShown is how far back the status lists passes.
	PassesShown = 24 * time.Hour

	maxFailing = 200             // failing sources in the list
	cachedFor  = 2 * time.Second // counting all packages is expensive
)

// Store is what the status is made from.
type Store interface {
	// Summary counts packages by the state and by the age, at now, of each source's
	// last success, and lists at most limit failing sources. bounds are the upper
	// bounds of the classes of ages, ascending; a last class has none.
	Summary(now time.Time, bounds []time.Duration, limit int) (record.Summary, error)
	// Passes returns the reports of the passes that began at since or later, newest first.
	Passes(since time.Time) ([]record.Pass, error)
	// Find returns a package; ok is false if there is none with this id.
	Find(id int) (p record.Package, ok bool, err error)
}

// Activity is what the program is doing, which the store does not know.
type Activity struct {
	RunningSince time.Time // start of the running pass; zero for none
	NextTick     time.Time // of the schedule
	PausedSince  time.Time // when an operator stopped the schedule; zero where it is kept
	Reload       *Reload   // the last one, or a start that refused its catalogue; nil for none
	Budgets      []Budget
	Problems     []record.Problem // what is wrong with the program itself
	Database     *Database        // nil where it is not known
	Cluster      *Cluster         // nil where this host is alone
}

// Options say what the status is made from. Only Store is required.
type Options struct {
	Store    Store
	Activity func() Activity              // nil for none; called concurrently
	Snapshot func() (s Snapshot, ok bool) // the snapshot that is served; nil for none
	Search   func() Search                // the state of the search; nil for no search
	Zone     *time.Location               // of the times; nil for UTC
}

// Maker makes the status. It is safe for concurrent use.
type Maker struct {
	o    Options
	mu   sync.Mutex
	last Catalogue
	made time.Time // time of last
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
	if age := time.Since(m.made); age >= 0 && age < cachedFor {
		return m.last, nil
	}
	c, err := m.catalogue(time.Now())
	if err == nil {
		m.last, m.made = c, time.Now()
	}
	return c, err
}

// Present returns the status of the whole catalogue as it is now. Unlike Catalogue, it
// counts all packages at each call.
func (m *Maker) Present() (Catalogue, error) { return m.catalogue(time.Now()) }

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
		c.Database, c.Cluster = a.Database, m.cluster(a.Cluster)
		c.RunningSince, c.NextTick = m.moment(a.RunningSince), m.moment(a.NextTick)
		c.PausedSince = m.moment(a.PausedSince)
		if a.Reload != nil {
			c.Reload = &Reload{m.moment(a.Reload.At), a.Reload.Error}
		}
		for _, b := range a.Budgets {
			b.Reset, b.HeldUntil, b.Expires = m.moment(b.Reset), m.moment(b.HeldUntil), m.moment(b.Expires)
			if b.Points != nil {
				b.Points = &Points{b.Points.Limit, b.Points.Remaining, m.moment(b.Points.Reset)}
			}
			c.Budgets = append(c.Budgets, b)
		}
	}
	if m.o.Snapshot != nil {
		if s, ok := m.o.Snapshot(); ok {
			s.Made = m.moment(s.Made)
			c.Snapshot = &s
		}
	}
	if m.o.Search != nil {
		s := m.o.Search()
		s.Since = m.moment(s.Since)
		c.Search = &s
	}
	return c, nil
}

// count fills in what the store tells. Where the store fails and that is a known
// problem, the status tells of the problem rather than of nothing.
func (m *Maker) count(c *Catalogue, now time.Time) error {
	sum, sumErr := m.o.Store.Summary(now, ageBounds, maxFailing)
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

// failing returns the failing sources with what their packages know about them.
func (m *Maker) failing(sources []record.Failing) ([]Failing, error) {
	all := []Failing{}
	for _, f := range sources {
		p, ok, err := m.o.Store.Find(f.ID)
		if err != nil {
			return all, err
		}
		if !ok {
			continue // it has left the catalogue in the meantime
		}
		name, source := "github", p.GitHub
		if f.PyPI {
			name, source = "pypi", p.PyPI
		}
		all = append(all, Failing{
			Slug: p.Slug, Title: p.Title, Source: name, State: source.State,
			Since: m.moment(source.FailingSince), Failures: source.Failures, LastError: source.LastError,
			LastSuccess: m.moment(source.LastSuccess),
		})
	}
	return all, nil
}

// passes returns the reports of the passes of the last PassesShown. Those that are
// still ahead are of a clock that was: when they were is not known.
func (m *Maker) passes(now time.Time) ([]record.Pass, error) {
	stored, err := m.o.Store.Passes(now.Add(-PassesShown))
	all := []record.Pass{}
	for _, p := range stored {
		if p.Started.After(now.Add(time.Minute)) {
			continue
		}
		p.Started = m.moment(p.Started)
		p.GitHub.HeldUntil, p.PyPI.HeldUntil = m.moment(p.GitHub.HeldUntil), m.moment(p.PyPI.HeldUntil)
		all = append(all, p)
	}
	return all, err
}

// moment returns t in the zone of the status, to the microsecond.
func (m *Maker) moment(t time.Time) time.Time { return t.Truncate(time.Microsecond).In(m.o.Zone) }

// Package returns the state of a package's sources.
func (m *Maker) Package(p *record.Package) Package {
	return Package{
		Slug: p.Slug, ID: p.ID, Title: p.Title,
		GitHub: repoSource(p, m.o.Zone), PyPI: projectSource(p, m.o.Zone),
	}
}
