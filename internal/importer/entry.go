package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// decoder reads the documented JSON of one entry. Beside an error, which says what is
// wrong with the entry, it returns what could be read of the id and the slug.
type decoder struct {
	origin     *origin // of the site that is read; nil for a file
	otherHost  bool    // an entry was rejected because of the host in one of its links
	staleAfter time.Duration
	zone       *Zone
	names      *names // what API v3 is read with; nil for v4
}

// document has the keys that entries of every kind share. A pointer is nil for null
// and for a missing key.
type document struct {
	ID       *int    `json:"id"`
	Slug     *string `json:"slug"`
	Title    *string `json:"title"`
	Created  *string `json:"created"`
	Modified *string `json:"modified"`
}

type categoryDocument struct {
	document
	Description *string `json:"description"`
	TitlePlural *string `json:"title_plural"`
	ShowPyPI    *bool   `json:"show_pypi"`
}

type gridDocument struct {
	document
	Description *string `json:"description"`
	IsLocked    *bool   `json:"is_locked"`
	Header      *bool   `json:"header"`
}

// packageDocument has the keys that packages have alike in API v4 and v3.
type packageDocument struct {
	document
	Category         *string      `json:"category"`
	Grids            list[string] `json:"grids"`
	LastFetched      *string      `json:"last_fetched"`
	RepoURL          *string      `json:"repo_url"`
	PyPIVersion      *string      `json:"pypi_version"`
	RepoForks        *int         `json:"repo_forks"`
	RepoDescription  *string      `json:"repo_description"`
	PyPIURL          *string      `json:"pypi_url"`
	DocumentationURL *string      `json:"documentation_url"`
	RepoWatchers     *int         `json:"repo_watchers"`
}

type packageV4 struct {
	packageDocument
	LastUpdated   *string      `json:"last_updated"`
	CommitsOver52 list[int]    `json:"commits_over_52"`
	Participants  list[string] `json:"participants"`
}

// list is an array that must not be null or contain null. An error is kept for
// later: returned by UnmarshalJSON, it would end the decoding before the id is read.
type list[T any] struct {
	given bool
	items []T // nil if there are none, as the store keeps it
	err   error
}

func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = list[T]{given: true}
	var items []*T
	if l.err = json.Unmarshal(data, &items); l.err != nil {
		return nil
	}
	if items == nil {
		l.err = &json.UnmarshalTypeError{Value: "null", Type: reflect.TypeFor[[]T]()}
	}
	l.items = slices.Grow(l.items, len(items))
	for _, item := range items {
		if item == nil {
			l.err = &json.UnmarshalTypeError{Value: "null", Type: reflect.TypeFor[T]()}
			return nil
		}
		l.items = append(l.items, *item)
	}
	return nil
}

// check examines one entry and keeps the first error.
type check struct {
	d   *decoder
	err error
}

func (c *check) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// need returns a value that every entry must have.
func need[T any](c *check, key string, value *T) (v T) {
	if value == nil {
		c.fail("%s is null or missing", key)
		return v
	}
	return *value
}

func needList[T any](c *check, key string, l list[T]) []T {
	var wrong *json.UnmarshalTypeError
	switch {
	case !l.given:
		c.fail("%s is missing", key)
	case errors.As(l.err, &wrong):
		c.fail("%s is %s, not %s", key, kindOf(wrong), inWords(wrong.Type))
	case l.err != nil:
		c.fail("%s is not a list: %w", key, l.err)
	}
	return l.items
}

func (c *check) count(key string, value *int) int {
	n := need(c, key, value)
	if n < 0 {
		c.fail("%s is %d", key, n)
	}
	return n
}

// time reads a time; nil is the zero time.
func (c *check) time(key string, value *string) time.Time {
	if value == nil {
		return time.Time{}
	}
	t, offset, err := parseTime(*value)
	if err != nil {
		c.fail("%s is %.40q, %w", key, *value, err)
		return time.Time{}
	}
	if c.d.names != nil { // in API v3 all times are in UTC, whatever the site's zone
		return withFraction(t, *value)
	}
	c.d.zone.saw(t, offset)
	return t
}

func (c *check) needTime(key string, value *string) time.Time {
	need(c, key, value)
	return c.time(key, value)
}

// head checks the keys that entries of every kind share. The id is 0 if it is missing
// or invalid. In API v3, which has none, it is the number of the slug.
func (c *check) head(d *document, numbers *slugs) (id int, slug, title string) {
	switch {
	case numbers != nil:
	case d.ID == nil:
		c.fail("has no id")
	case *d.ID < 1 || *d.ID > record.MaxID:
		c.fail("its id is %d", *d.ID)
	default:
		id = *d.ID
	}
	slug = need(c, "slug", d.Slug)
	if d.Slug != nil && (!record.IsSlug(slug) || len(slug) > record.MaxSlug) {
		c.fail("%s is not a slug", shortQuote(slug))
	} else if d.Slug != nil && numbers != nil {
		id = numbers.number(slug)
	}
	title = need(c, "title", d.Title)
	return id, slug, title
}

// decode reads data into v and keeps its error.
func (c *check) decode(data []byte, v any) {
	err := json.Unmarshal(data, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
	case errors.As(err, &wrong) && wrong.Field == "":
		c.fail("is %s, not a JSON object", kindOf(wrong))
	case errors.As(err, &wrong):
		_, key := cutLast(wrong.Field, ".") // without the name of the embedded document
		c.fail("%s is %s, not %s", key, kindOf(wrong), inWords(wrong.Type))
	default:
		c.fail("is not JSON: %w", err)
	}
}

// kindOf says what JSON has in place of what was expected.
func kindOf(wrong *json.UnmarshalTypeError) string {
	if n, ok := strings.CutPrefix(wrong.Value, "number "); ok {
		return n // such as 3.5
	}
	switch wrong.Value {
	case "string":
		return "text"
	case "array":
		return "a list"
	case "number":
		return "a number"
	case "object":
		return "an object"
	case "bool":
		return "true or false"
	}
	return wrong.Value
}

// inWords says what was expected.
func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "a whole number"
}

func (d *decoder) category(data []byte) (record.Category, error) {
	c := check{d: d}
	var doc categoryDocument
	c.decode(data, &doc)
	id, slug, title := c.head(&doc.document, d.slugs("category"))
	return record.Category{
		ID: id, Slug: slug, Title: title,
		TitlePlural: need(&c, "title_plural", doc.TitlePlural),
		Description: need(&c, "description", doc.Description),
		ShowPyPI:    need(&c, "show_pypi", doc.ShowPyPI),
		Created:     c.needTime("created", doc.Created),
		Modified:    c.needTime("modified", doc.Modified),
	}, c.err
}

func (d *decoder) grid(data []byte) (record.Grid, error) {
	c := check{d: d}
	var doc gridDocument
	c.decode(data, &doc)
	id, slug, title := c.head(&doc.document, d.slugs("grid"))
	return record.Grid{
		ID: id, Slug: slug, Title: title,
		Description: need(&c, "description", doc.Description),
		IsLocked:    need(&c, "is_locked", doc.IsLocked),
		Header:      need(&c, "header", doc.Header),
		Created:     c.needTime("created", doc.Created),
		Modified:    c.needTime("modified", doc.Modified),
	}, c.err
}

func (d *decoder) record(data []byte) (rec record.Package, err error) {
	if d.names != nil {
		return d.recordV3(data)
	}
	c := check{d: d}
	var doc packageV4
	c.decode(data, &doc)
	rec = c.shared(&doc.packageDocument)
	if doc.LastUpdated != nil {
		t := c.time("last_updated", doc.LastUpdated)
		rec.Repo.LastCommit = &t
	}
	rec.Repo.Participants = needList(&c, "participants", doc.Participants)
	rec.Repo.Commits52 = needList(&c, "commits_over_52", doc.CommitsOver52)
	for _, n := range rec.Repo.Commits52 {
		c.count("commits_over_52", &n)
	}
	return rec, c.err
}

// shared reads what packages have alike in API v4 and v3.
func (c *check) shared(doc *packageDocument) (rec record.Package) {
	rec.ID, rec.Slug, rec.Title = c.head(&doc.document, c.d.slugs("package"))
	rec.RepoURL, rec.PyPIURL, rec.DocumentationURL = doc.RepoURL, doc.PyPIURL, doc.DocumentationURL
	rec.Created = c.needTime("created", doc.Created)
	rec.Modified = c.needTime("modified", doc.Modified)
	rec.LastFetched = c.time("last_fetched", doc.LastFetched)
	if doc.Category != nil {
		rec.Category = c.id("category", *doc.Category, "categories", c.d.slugs("category"))
	}
	for _, link := range needList(c, "grids", doc.Grids) {
		id := c.id("grids", link, "grids", c.d.slugs("grid"))
		if slices.Contains(rec.Grids, id) {
			c.fail("grids has %s twice", c.d.label("grid", id))
		}
		rec.Grids = append(rec.Grids, id)
	}
	rec.Repo.Stars = c.count("repo_watchers", doc.RepoWatchers)
	rec.Repo.Forks = c.count("repo_forks", doc.RepoForks)
	rec.Repo.Description = need(c, "repo_description", doc.RepoDescription)
	rec.Project.Version = doc.PyPIVersion
	c.d.fetched(&rec)
	return rec
}

// label names an entry for a person: grid 7 or, in API v3, grid cms.
func (d *decoder) label(kind string, id int) string {
	if d.names != nil && id > 0 {
		return kind + " " + d.names.of(kind).slug(id)
	}
	return fmt.Sprintf("%s %d", kind, id)
}

// slugs returns the numbers of the slugs of a kind, in API v3.
func (d *decoder) slugs(kind string) *slugs {
	if d.names == nil {
		return nil
	}
	return d.names.of(kind)
}

// fetched sets the state of the sources of a record that was fetched.
func (d *decoder) fetched(rec *record.Package) {
	if !rec.LastFetched.IsZero() {
		// Both sources had answered by then: it is the older of the two successes.
		// The store knows which of them can be asked at all.
		rec.GitHub = record.Status{
			State: record.StateOK, LastAttempt: rec.LastFetched, LastSuccess: rec.LastFetched,
		}
		if rec.LastFetched.Before(time.Now()) { // else a clock was ahead, which must not put the next fetch off
			rec.GitHub.NextDue = rec.LastFetched.Add(d.staleAfter)
		}
		rec.PyPI = rec.GitHub
	}
}

// id returns the id of the entry of a collection that a link leads to; in API v3, where
// numbers are given, the number of its slug.
func (c *check) id(key, link, collection string, numbers *slugs) (id int) {
	var err error
	if numbers == nil {
		id, err = c.d.origin.id(link, collection)
	} else {
		var slug string
		if slug, err = c.d.origin.slug(link, collection); err == nil {
			id = numbers.number(slug)
		}
	}
	if err != nil {
		c.d.otherHost = c.d.otherHost || errors.Is(err, errOtherHost)
		c.fail("%s: %s %w", key, quoteLink(link), err)
	}
	return id
}

// shortQuote quotes a value of the source for a message, 60 characters of it at most.
func shortQuote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}

// parseTime reads a time as Python writes it, truncated to microseconds, and returns
// it in UTC, with its original offset from UTC in seconds.
func parseTime(s string) (t time.Time, offset int, err error) {
	t, err = time.Parse(time.RFC3339Nano, s)
	if err != nil { // an offset from before standard time, such as -00:44:30
		t, err = time.Parse("2006-01-02T15:04:05.999999999Z07:00:00", s)
	}
	if err != nil {
		return t, 0, errors.New("not a time like 2012-12-26T09:29:30.670172Z")
	}
	_, offset = t.Zone()
	t = t.UTC().Truncate(time.Microsecond)
	// The store counts from 1970, and RFC 3339 ends with the year 9999.
	if y := t.Year(); y < 1970 || y > 9999 {
		return t, 0, errors.New("outside the years 1970 to 9999")
	}
	return t, offset, nil
}
