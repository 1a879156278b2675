// Package record holds the types of the domain: packages as the catalogue
// declares them, what GitHub and PyPI returned about the repositories and projects
// behind them, and the fetch status of each. It is a leaf: it does not know how
// data is fetched, stored or served.
//
// The rules that depend on nothing but these values live here too (rules.go).
package record

import (
	"errors"
	"time"
)

// ErrNotFound is returned for a package, grid, category or source that does not
// exist.
var ErrNotFound = errors.New("not found")

// Entry is the half of a record that a person declares in the catalogue. Its
// URLs are kept exactly as written; null and "" differ.
type Entry struct {
	ID               int       `json:"id"` // positive, never reused for another slug
	Slug             string    `json:"slug"`
	Title            string    `json:"title"`
	Category         int       `json:"category,omitempty"` // id of a Category; 0 for none
	Grids            []int     `json:"grids,omitempty"`    // ids, in the order in which they are served
	RepoURL          *string   `json:"repo_url"`
	PyPIURL          *string   `json:"pypi_url"`
	DocumentationURL *string   `json:"documentation_url"`
	Created          time.Time `json:"created"` // UTC, microseconds

	// StaleAfter is the age at which what was fetched for it is fetched again; 0 for
	// none of its own. The store has that of the category here, where there is none.
	StaleAfter time.Duration `json:"stale_after,omitempty"`
}

// The largest id, and the longest slug.
const (
	MaxID   = 1<<53 - 1 // every JSON reader represents integers up to this exactly
	MaxSlug = 255       // bytes
)

// IsSlug reports whether s is of the form ^[-a-zA-Z0-9_]+$. It may be longer
// than MaxSlug.
func IsSlug(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

// Category is a kind of package, as the documented API has it.
type Category struct {
	ID          int       `json:"id"`
	Slug        string    `json:"slug"`
	Title       string    `json:"title"`
	TitlePlural string    `json:"title_plural"`
	Description string    `json:"description"`
	ShowPyPI    bool      `json:"show_pypi"`
	Created     time.Time `json:"created"`
	Modified    time.Time `json:"modified"`

	// StaleAfter is that of its packages that have none of their own; 0 for none. It is
	// stored with them.
	StaleAfter time.Duration `json:"-"`
}

// Grid is a comparison of packages, as the documented API has it.
type Grid struct {
	ID          int       `json:"id"`
	Slug        string    `json:"slug"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	IsLocked    bool      `json:"is_locked"`
	Header      bool      `json:"header"`
	Created     time.Time `json:"created"`
	Modified    time.Time `json:"modified"`
}

// Catalogue is everything that people declare. In a Catalogue passed to
// Store.SyncCatalogue an Entry.ID of 0 means "not given", and so does a zero
// Created or Modified.
type Catalogue struct {
	Categories []Category
	Grids      []Grid
	Packages   []Entry

	Digest []byte // identifies this catalogue for Store.CatalogueDigest; nil if unknown
}

// Repo is what GitHub last returned about a repository.
type Repo struct {
	Name         string     `json:"name,omitempty"` // canonical owner/name, learnt from GitHub; "" until then
	ID           int64      `json:"id,omitempty"`   // GitHub's database id of the repository
	Stars        int        `json:"stars"`          // stargazers; served as repo_watchers
	Forks        int        `json:"forks"`
	Description  string     `json:"description"`
	Archived     bool       `json:"archived,omitempty"`
	Disabled     bool       `json:"disabled,omitempty"`     // by GitHub
	Participants []string   `json:"participants,omitempty"` // logins by commits, descending, unique
	Commits52    []int      `json:"commits52,omitempty"`    // commits a week, 52 weeks, oldest first; nil while unknown
	LastCommit   *time.Time `json:"last_commit,omitempty"`  // committer date of the newest commit on the default branch
	Commits      int        `json:"commits,omitempty"`      // commits on the default branch; 0 while unknown

	NodeID        string    `json:"node_id,omitempty"`       // GitHub's opaque id of the repository
	Contributions []int     `json:"contributions,omitempty"` // commits of each of Participants; nil while unknown
	CountsFrom    string    `json:"counts_from,omitempty"`   // FromStatistics or FromCounting: where Commits52 come from; "" while unknown
	AsOf          Day       `json:"as_of,omitempty"`         // the day whose 00:00 UTC ends the last of Commits52; 0 while unknown
	HeadSeen      Day       `json:"head_seen,omitempty"`     // the day on which the newest commit was first seen here
	Counting      *Counting `json:"counting,omitempty"`      // nil while the commits are not counted
}

// Project is what PyPI last returned about a project.
type Project struct {
	Name             string    `json:"name,omitempty"`    // as PyPI writes it
	Version          *string   `json:"version,omitempty"` // the latest, in PyPI's own spelling; nil while unknown
	Versions         []Version `json:"versions,omitempty"`
	Licence          string    `json:"licence,omitempty"`
	Status           int       `json:"status,omitempty"` // development status 1 to 7; 0 while unknown
	RequiresPython   string    `json:"requires_python,omitempty"`
	Python3          *bool     `json:"python3,omitempty"` // supports Python 3; nil while unknown
	DocumentationURL string    `json:"documentation_url,omitempty"`
	Support          *Support  `json:"support,omitempty"` // nil while unknown
	Standing         Standing  `json:"standing,omitzero"`
}

// Support is what the classifiers of a project's latest release say that it runs with. Both
// lists are ascending, and empty where the classifiers name no version.
type Support struct {
	Python []string `json:"python,omitempty"` // versions such as "3" and "3.12"
	Django []string `json:"django,omitempty"` // versions such as "4" and "5.2"
}

// Standing is what PyPI says of a project as a whole, on its page in the index (PEP
// 792). Its releases can be as they were while the project is archived.
type Standing struct {
	Status string    `json:"status,omitempty"` // active, archived, deprecated or quarantined; "" until PyPI was asked
	Reason string    `json:"reason,omitempty"` // given by the project or by PyPI; "" for none
	Asked  time.Time `json:"asked,omitzero"`   // when PyPI last answered, UTC
	Due    time.Time `json:"due,omitzero"`     // when it is asked next, UTC; zero before the first answer about the project
}

// The words of Standing.Status.
const (
	ProjectActive      = "active"
	ProjectArchived    = "archived"    // no further releases are expected
	ProjectDeprecated  = "deprecated"  // another project should be used
	ProjectQuarantined = "quarantined" // PyPI withholds it as unsafe
)

// Index is PyPI's list of all projects, as far as it matters after it was read.
type Index struct {
	Read time.Time // when it was last asked for, with success; zero for never
	ETag string    // validator of that answer
}

// Version is one release of a project.
type Version struct {
	Version  string     `json:"v"`
	Uploaded *time.Time `json:"t,omitempty"` // earliest upload of one of its files, UTC; nil without files
	Yanked   bool       `json:"y,omitempty"`
}

// State is the outcome so far of fetching one source.
type State string

const (
	StateNone        State = "none"        // the catalogue names no such source
	StateUnsupported State = "unsupported" // it names one that cannot be fetched
	StateNew         State = "new"         // not fetched yet
	StateOK          State = "ok"
	StatePending     State = "pending" // answered, but a part is still being computed, contradicts another, or is older than what is known; that part stays as it was
	StateFailed      State = "failed"  // the last attempt failed; the data is from the last success
	StateGone        State = "gone"    // not found upstream; the data is from the last success
	StateBlocked     State = "blocked" // taken down upstream; the data is from the last success
)

// Fetchable reports whether the source is ever fetched.
func (s State) Fetchable() bool {
	return s != StateNone && s != StateUnsupported
}

// Answers reports whether the source may answer with something fresher than what is known.
func (s State) Answers() bool {
	return s.Fetchable() && s != StateGone && s != StateBlocked
}

// Status is the fetch status of one source. Times are UTC.
type Status struct {
	State        State             `json:"state"`
	LastAttempt  time.Time         `json:"last_attempt,omitzero"`
	LastSuccess  time.Time         `json:"last_success,omitzero"`
	NextDue      time.Time         `json:"next_due,omitzero"`      // zero: due at once
	Failures     int               `json:"failures,omitempty"`     // consecutive attempts without success
	FailingSince time.Time         `json:"failing_since,omitzero"` // time of the first of them; zero if there are none
	Imported     bool              `json:"imported,omitempty"`     // the attempts were made by another site
	Pending      int               `json:"pending,omitempty"`      // consecutive attempts that ended in StatePending
	LastError    string            `json:"last_error,omitempty"`   // of the last attempt, for people; "" after a success
	Replaced     bool              `json:"replaced,omitempty"`     // of a repository that is gone: another one has its name now
	Note         string            `json:"note,omitempty"`         // a lasting limitation, such as a list too long to fetch
	Tags         map[string]string `json:"tags,omitempty"`         // validators (ETags), by the client's name for each response
	Serial       int64             `json:"serial,omitempty"`       // PyPI's last serial
}

// Source is one repository or one project: its data and its fetch status. It is
// the unit of work: it is fetched once, however many packages refer to it, and all
// of them share its data.
type Source struct {
	Key Key `json:"key"`
	Status
	Repo    *Repo    `json:"repo,omitempty"`    // data of a repository; nil until the first answer
	Project *Project `json:"project,omitempty"` // data of a project; nil until the first answer

	// Former is the data of the repository that a package referred to before its
	// URL was changed to this one. None of it is served, unless this turns out to
	// be the same repository; see [Follow].
	Former *Repo `json:"former,omitempty"`

	Interval Interval `json:"interval,omitzero"` // set by the store, from what the catalogue declares
}

// Package is all that is known about one package: what the catalogue declares, and
// the data and status of the sources that it refers to.
type Package struct {
	Entry
	RepoKey    Key     `json:"repo_key,omitempty"`    // of the repository that RepoURL names; "" if none can be fetched
	ProjectKey Key     `json:"project_key,omitempty"` // of the project that PyPIURL names, likewise
	Repo       Repo    `json:"repo"`
	Project    Project `json:"release"`
	GitHub     Status  `json:"github"`
	PyPI       Status  `json:"pypi"`

	Modified    time.Time `json:"modified"`              // when anything served, LastFetched aside, last changed
	LastFetched time.Time `json:"last_fetched,omitzero"` // all of the fetched half is at least this fresh
}

// References is what the URLs of an entry refer to.
type References struct {
	Repo, Project Key      // "" if there is nothing to fetch
	GitHub, PyPI  State    // why there is no key: StateNone without a URL, StateUnsupported for a URL that cannot be fetched; else ""
	Problems      []string // a sentence for each URL that cannot be fetched
}

// Sources returns the sources that p refers to, the repository first.
func (p *Package) Sources() (sources []Source) {
	if p.RepoKey != "" {
		sources = append(sources, Source{Key: p.RepoKey, Status: p.GitHub, Repo: &p.Repo})
	}
	if p.ProjectKey != "" {
		sources = append(sources, Source{Key: p.ProjectKey, Status: p.PyPI, Project: &p.Project})
	}
	return sources
}
