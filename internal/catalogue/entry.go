package catalogue

import (
	"errors"
	"strconv"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
)

// filePackage, fileCategory and fileGrid are the entries of a catalogue as a
// file declares them, in YAML and in NDJSON alike.
type filePackage struct {
	place
	ID               entryID     `yaml:"id"`
	Slug             entrySlug   `yaml:"slug"`
	Title            *string     `yaml:"title"`
	Category         optionalRef `yaml:"category"`
	Grids            []ref       `yaml:"grids"`
	RepoURL          *string     `yaml:"repo_url"`
	PyPIURL          *string     `yaml:"pypi_url"`
	DocumentationURL *string     `yaml:"documentation_url"`
	Created          time.Time   `yaml:"created"`
	StaleAfter       staleAfter  `yaml:"stale_after"`
}

type fileCategory struct {
	place
	ID          entryID    `yaml:"id"`
	Slug        entrySlug  `yaml:"slug"`
	Title       *string    `yaml:"title"`
	TitlePlural string     `yaml:"title_plural"`
	Description string     `yaml:"description"`
	ShowPyPI    bool       `yaml:"show_pypi"`
	Created     time.Time  `yaml:"created"`
	Modified    time.Time  `yaml:"modified"`
	StaleAfter  staleAfter `yaml:"stale_after"`
}

type fileGrid struct {
	place
	ID          entryID   `yaml:"id"`
	Slug        entrySlug `yaml:"slug"`
	Title       *string   `yaml:"title"`
	Description string    `yaml:"description"`
	IsLocked    bool      `yaml:"is_locked"`
	Header      bool      `yaml:"header"`
	Created     time.Time `yaml:"created"`
	Modified    time.Time `yaml:"modified"`
}

// place is where an entry of a catalogue is in its file.
type place struct {
	at   strict.Position
	item int // number in its list, from 1
}

// SetPlace implements [strict.Placed].
func (p *place) SetPlace(at strict.Position, item int) { p.at, p.item = at, item }

// entryID is an id that a catalogue declares; n is 0 without one, or if it is not
// valid.
type entryID struct {
	n     int
	at    strict.Position
	given bool
}

func (*entryID) Wanted() string { return "a whole number" }

func (id *entryID) UnmarshalScalar(s strict.Scalar) error {
	id.at, id.given = s.At, true
	n, err := s.AsInt()
	if err != nil {
		return err
	}
	if err := checkID(n); err != nil {
		return err
	}
	id.n = n
	return nil
}

func checkID(n int) error {
	if n < 1 || n > record.MaxID {
		return errors.New("is out of range; an id is from 1 to " + strconv.Itoa(record.MaxID))
	}
	return nil
}

// entrySlug is a slug that a catalogue declares; text is "" without one, or if it is
// not valid.
type entrySlug struct {
	text  string
	at    strict.Position
	given bool
}

func (*entrySlug) Wanted() string { return "text" }

func (slug *entrySlug) UnmarshalScalar(s strict.Scalar) error {
	slug.at, slug.given = s.At, true
	text, err := s.AsText()
	switch {
	case err != nil:
		return err
	case text == "":
		return errors.New("is empty; write letters, digits, - and _")
	case len(text) > record.MaxSlug:
		return errors.New("is longer than 255 characters; write a shorter one")
	case !record.IsSlug(text):
		return errors.New(strict.Quote(text) + " is not a slug; write letters of A to Z, digits, - and _ only")
	}
	slug.text = text
	return nil
}

// staleAfter is an age at which something is fetched again; 0 for none.
type staleAfter time.Duration

func (*staleAfter) Wanted() string { return "a duration such as 6h or 168h" }

func (age *staleAfter) UnmarshalScalar(s strict.Scalar) error {
	d, err := s.AsDuration()
	if err != nil {
		return err
	}
	if d < record.MinStaleAfter || d > record.MaxStaleAfter {
		return errors.New("is out of range; write a duration from 1s to 8760h, or leave the key out for refresh.stale_after of the configuration")
	}
	*age = staleAfter(d)
	return nil
}

// ref names a category or a grid by its id or by its slug. The zero ref names
// nothing.
type ref struct {
	id   int
	slug string
	at   strict.Position
}

func (*ref) Wanted() string { return "an id or a slug" }

func (r *ref) UnmarshalScalar(s strict.Scalar) error {
	switch {
	case s.Kind == strict.TextKind && s.Text != "":
		*r = ref{slug: s.Text, at: s.At}
		return nil
	case s.Kind == strict.IntegerKind:
		n, err := s.AsInt()
		if err == nil {
			err = checkID(n)
		}
		if err == nil {
			*r = ref{id: n, at: s.At}
		}
		return err
	}
	return errors.New("needs an id or a slug, such as 1 or apps")
}

func (r ref) String() string {
	if r.slug != "" {
		return strict.Quote(r.slug)
	}
	return strconv.Itoa(r.id)
}

// optionalRef is a ref that may be null.
type optionalRef struct{ ref }

func (r *optionalRef) UnmarshalScalar(s strict.Scalar) error {
	if s.Kind == strict.NullKind {
		return nil
	}
	return r.ref.UnmarshalScalar(s)
}
