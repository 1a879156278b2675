package github

import (
	"time"

	"pkgmetad/internal/upstream"
)

// Parts selects what to ask of a repository.
type Parts uint8

// Each part is one endpoint below /repos/{owner}/{name}.
const (
	PartRepository    Parts = 1 << iota // the repository itself
	PartContributors                    // contributors, 1 to 5 pages of 100
	PartCommits                         // commits, the newest one
	PartParticipation                   // stats/participation

	AllParts = PartRepository | PartContributors | PartCommits | PartParticipation
)

// Validators are ETags by the name of the answer that they belong to:
// "repository", "contributors/1" to "contributors/5", "commits" and
// "participation".
type Validators map[string]string

// Question is what one Fetch asks.
type Question struct {
	Ref          Ref
	Parts        Parts
	Known        Validators
	Commits      int
	Participants int
	Beside       func(f func()) bool
}

// Part is the answer about one part of a repository.
type Part[T any] struct {
	Outcome upstream.Outcome
	Value   T               // set where Outcome is Fresh
	Err     *upstream.Error // set for every outcome but NotAsked, Fresh, Unchanged and Empty
}

// Repository is what GET /repos/{owner}/{name} tells.
type Repository struct {
	ID          int64
	FullName    string // owner/name as GitHub writes it
	Stars       int    // stargazers_count
	Forks       int    // forks_count
	Description string // "" where there is none
	Archived    bool
	Disabled    bool
	PushedAt    time.Time // UTC, last push to any branch; zero where there was none
}

// Commits is what GET /repos/{owner}/{name}/commits?per_page=1 tells of the
// default branch.
type Commits struct {
	Last  time.Time // committer date of the newest commit, UTC
	Count int       // commits in all, at least 1
}

// Answer is what one [Client.Fetch] brought.
type Answer struct {
	Repository    Part[Repository]
	Contributors  Part[[]string] // logins by commits, descending, each once; anonymous ones are left out
	Commits       Part[Commits]
	Participation Part[[]int] // commits a week, 52 weeks, oldest first

	// Ref is the name to ask by from now on. It is zero where the fetch has not
	// told: without a fresh repository, or with one behind a temporary redirect.
	Ref Ref

	// Validators are the ones to store: those of the fresh values, none for what
	// is empty, and for all other parts those that were passed in.
	Validators Validators

	Notes []string

	Requests int // HTTP requests sent; each hop of a redirect is one
	Charged  int // those that cost primary budget, or may have where no answer came
}
