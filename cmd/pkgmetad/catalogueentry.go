package main

import (
	"errors"
	"pkgmetad/internal/record"
	"strconv"
	"time"
)

// filePackage, fileCategory and fileGrid are the entries of a catalogue as a
// file declares them, in YAML and in NDJSON alike.
type filePackage struct {
	entry
	ID               entryID     `yaml:"id"`
	Slug             entrySlug   `yaml:"slug"`
	Title            *string     `yaml:"title"`
	Category         optionalRef `yaml:"category"`
	Grids            []ref       `yaml:"grids"`
	RepoURL          *string     `yaml:"repo_url"`
	PyPIURL          *string     `yaml:"pypi_url"`
	DocumentationURL *string     `yaml:"documentation_url"`
	Created          time.Time   `yaml:"created"`
}

type fileCategory struct {
	entry
	ID          entryID   `yaml:"id"`
	Slug        entrySlug `yaml:"slug"`
	Title       *string   `yaml:"title"`
	TitlePlural string    `yaml:"title_plural"`
	Description string    `yaml:"description"`
	ShowPyPI    bool      `yaml:"show_pypi"`
	Created     time.Time `yaml:"created"`
	Modified    time.Time `yaml:"modified"`
}

type fileGrid struct {
	entry
	ID          entryID   `yaml:"id"`
	Slug        entrySlug `yaml:"slug"`
	Title       *string   `yaml:"title"`
	Description string    `yaml:"description"`
	IsLocked    bool      `yaml:"is_locked"`
	Header      bool      `yaml:"header"`
	Created     time.Time `yaml:"created"`
	Modified    time.Time `yaml:"modified"`
}

// field returns the pointer to the value of a key; nil: there is no such key.
func (p *filePackage) field(key string) any {
	switch key {
	case "id":
		return &p.ID
	case "slug":
		return &p.Slug
	case "title":
		return &p.Title
	case "category":
		return &p.Category
	case "grids":
		return &p.Grids
	case "repo_url":
		return &p.RepoURL
	case "pypi_url":
		return &p.PyPIURL
	case "documentation_url":
		return &p.DocumentationURL
	case "created":
		return &p.Created
	}
	return nil
}

func (c *fileCategory) field(key string) any {
	switch key {
	case "id":
		return &c.ID
	case "slug":
		return &c.Slug
	case "title":
		return &c.Title
	case "title_plural":
		return &c.TitlePlural
	case "description":
		return &c.Description
	case "show_pypi":
		return &c.ShowPyPI
	case "created":
		return &c.Created
	case "modified":
		return &c.Modified
	}
	return nil
}

func (g *fileGrid) field(key string) any {
	switch key {
	case "id":
		return &g.ID
	case "slug":
		return &g.Slug
	case "title":
		return &g.Title
	case "description":
		return &g.Description
	case "is_locked":
		return &g.IsLocked
	case "header":
		return &g.Header
	case "created":
		return &g.Created
	case "modified":
		return &g.Modified
	}
	return nil
}

// entry is where an entry of a catalogue stands.
type entry struct {
	at   position
	item int // of its list, from 1
}

func (e *entry) setPlace(at position, item int) { e.at, e.item = at, item }

// entryID is an id that a catalogue declares; 0: none, or a bad one.
type entryID struct {
	n     int
	at    position
	given bool
}

func (*entryID) wanted() string { return "a whole number" }

func (id *entryID) unmarshalScalar(s scalar) error {
	id.at, id.given = s.at, true
	n, err := s.asInt()
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

// entrySlug is a slug that a catalogue declares; "": none, or a bad one.
type entrySlug struct {
	text  string
	at    position
	given bool
}

func (*entrySlug) wanted() string { return "text" }

func (slug *entrySlug) unmarshalScalar(s scalar) error {
	slug.at, slug.given = s.at, true
	text, err := s.asText()
	switch {
	case err != nil:
		return err
	case text == "":
		return errors.New("is empty; write letters, digits, - and _")
	case len(text) > record.MaxSlug:
		return errors.New("is longer than 255 characters; write a shorter one")
	case !record.IsSlug(text):
		return errors.New(shortQuote(text) + " is not a slug; write letters of A to Z, digits, - and _ only")
	}
	slug.text = text
	return nil
}

// ref names a category or a grid by its id or by its slug. The zero ref names
// nothing.
type ref struct {
	id   int
	slug string
	at   position
}

func (*ref) wanted() string { return "an id or a slug" }

func (r *ref) unmarshalScalar(s scalar) error {
	switch {
	case s.kind == textKind && s.text != "":
		*r = ref{slug: s.text, at: s.at}
		return nil
	case s.kind == integerKind:
		n, err := s.asInt()
		if err == nil {
			err = checkID(n)
		}
		if err == nil {
			*r = ref{id: n, at: s.at}
		}
		return err
	}
	return errors.New("needs an id or a slug, such as 1 or apps")
}

func (r ref) String() string {
	if r.slug != "" {
		return shortQuote(r.slug)
	}
	return strconv.Itoa(r.id)
}

// optionalRef is a ref that may be null.
type optionalRef struct{ ref }

func (r *optionalRef) unmarshalScalar(s scalar) error {
	if s.kind == nullKind {
		return nil
	}
	return r.ref.unmarshalScalar(s)
}
