package render

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// ErrTemplate is returned for bytes that are not a template of this version.
var ErrTemplate = errors.New("render: not a template of this version")

// ReadTemplate returns what a template serves of a record, with times in UTC; the rest of the
// record is zero. Its texts are parts of the template. API v3 is made from that: to decode the
// whole record, with its releases and all that is known of its commits, takes far longer.
func ReadTemplate(template string) (p record.Package, err error) {
	r := templateReader{rest: template}
	r.skip("{")
	r.key("category")
	if !r.null() {
		p.Category = r.link("categories/")
	}
	r.key("grids")
	r.list(func() { p.Grids = append(p.Grids, r.link("grids/")) })
	r.key("id")
	p.ID = r.int()
	r.key("title")
	p.Title = r.text()
	r.key("slug")
	p.Slug = r.text()
	r.key("last_updated")
	if t := r.time(); !t.IsZero() {
		p.Repo.LastCommit = &t
	}
	r.key("last_fetched")
	p.LastFetched = r.time()
	r.key("repo_url")
	p.RepoURL = r.textOrNull()
	r.key("pypi_version")
	p.Project.Version = r.textOrNull()
	r.key("created")
	p.Created = r.time()
	r.key("modified")
	p.Modified = r.time()
	r.key("repo_forks")
	p.Repo.Forks = r.int()
	r.key("repo_description")
	p.Repo.Description = r.text()
	r.key("pypi_url")
	p.PyPIURL = r.textOrNull()
	r.key("documentation_url")
	p.DocumentationURL = r.textOrNull()
	r.key("repo_watchers")
	p.Repo.Stars = r.int()
	r.key("commits_over_52")
	p.Repo.Commits52 = make([]int, 0, 52)
	r.list(func() { p.Repo.Commits52 = append(p.Repo.Commits52, r.int()) })
	r.key("participants")
	p.Repo.Participants = make([]string, 0, 16)
	r.list(func() { p.Repo.Participants = append(p.Repo.Participants, r.text()) })
	r.skip("}")
	if r.failed || len(r.rest) > 0 {
		return record.Package{}, ErrTemplate
	}
	return p, nil
}

// A templateReader reads a template from its beginning. After a failure it reads only zero
// values.
type templateReader struct {
	rest   string
	failed bool
}

// begins reads a token if it is next.
func (r *templateReader) begins(token string) bool {
	rest, found := strings.CutPrefix(r.rest, token)
	if r.failed || !found {
		return false
	}
	r.rest = rest
	return true
}

func (r *templateReader) skip(token string) {
	if !r.begins(token) {
		r.failed = true
	}
}

func (r *templateReader) null() bool { return r.begins("null") }

func (r *templateReader) key(name string) {
	r.begins(",") // there is none before the first
	r.skip(`"`)
	r.skip(name)
	r.skip(`":`)
}

func (r *templateReader) list(item func()) {
	r.skip("[")
	for !r.failed && !r.begins("]") {
		r.begins(",")
		item()
	}
}

func (r *templateReader) int() int {
	end := 0
	for end < len(r.rest) && ('0' <= r.rest[end] && r.rest[end] <= '9' || end == 0 && r.rest[end] == '-') {
		end++
	}
	n, err := strconv.Atoi(r.rest[:end])
	if r.failed = r.failed || err != nil; r.failed {
		return 0
	}
	r.rest = r.rest[end:]
	return n
}

// link reads the link to a record of a collection, and returns its id.
func (r *templateReader) link(collection string) int {
	r.skip(`"` + markText + Root)
	r.skip(collection)
	id := r.int()
	r.skip(markText + `"`)
	return id
}

// quoted reads a string, and returns it as it is written, with its quotes.
func (r *templateReader) quoted() string {
	all := r.rest
	r.skip(`"`)
	for i := 1; !r.failed && i < len(all); i++ {
		switch all[i] {
		case '\\':
			i++ // what follows is escaped
		case '"':
			r.rest = all[i+1:]
			return all[:i+1]
		}
	}
	r.failed = true
	return ""
}

func (r *templateReader) text() (text string) {
	quoted := r.quoted()
	switch {
	case r.failed:
	case strings.IndexByte(quoted, '\\') < 0:
		return quoted[1 : len(quoted)-1]
	case json.Unmarshal([]byte(quoted), &text) != nil:
		r.failed = true
	}
	return text
}

func (r *templateReader) textOrNull() *string {
	if r.null() {
		return nil
	}
	text := r.text()
	return &text
}

// time reads what appendTime writes; null is the zero time.
func (r *templateReader) time() time.Time {
	if r.null() {
		return time.Time{}
	}
	r.skip(`"`)
	year, month, day := r.int(), r.after("-"), r.after("-")
	hour, minute, second := r.after("T"), r.after(":"), r.after(":")
	micros, offset := 0, 0
	if r.begins(".") {
		micros = r.int()
	}
	if !r.begins("Z") {
		east := r.begins("+")
		if !east {
			r.skip("-")
		}
		offset = 3600*r.int() + 60*r.after(":")
		if r.begins(":") {
			offset += r.int()
		}
		if !east {
			offset = -offset
		}
	}
	r.skip(`"`)
	if r.failed {
		return time.Time{}
	}
	return time.Date(year, time.Month(month), day, hour, minute, second-offset, micros*1000, time.UTC)
}

// after reads the number after a token.
func (r *templateReader) after(token string) int {
	r.skip(token)
	return r.int()
}
