package github

import (
	"maps"
	"strings"
	"time"

	"pkgmetad/internal/record"
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

// Question is what one [Client.Fetch] asks.
type Question struct {
	Ref   Ref // the name to ask by
	Parts Parts

	// What earlier answers left behind. All of it may be zero.
	Known        Validators // sent along, so that what has not changed is not sent again
	Commits      int        // commits on the default branch; 0 means unknown
	Participants int        // contributors with a login; 0 means none or unknown
	HasCommits   bool       // another answer of this moment shows a commit on the default branch

	// Beside runs f on another goroutine and returns true if the caller has room
	// for one more request in flight; otherwise it returns false and does not run
	// f. Nil means that there is never room. Fetch waits for all that it started.
	Beside func(f func()) bool
}

// Validators are what a fetch leaves for the next one, to be stored with the
// values and passed in as [Question.Known]: the ETags by the name of the answer
// that they belong to ("repository", "contributors/1" to "contributors/5",
// "commits" and "participation"), and, while the claim of a part is in doubt that will
// be believed if it lasts, since when ("contributors/empty-since" and likewise for
// commits and participation, RFC 3339). ETags differ by credential, so where there are
// several, "credential" is the name of the one that they are for, or on several hosts its
// fingerprint.
type Validators map[string]string

// Part is the answer about one part of a repository.
type Part[T any] struct {
	Outcome upstream.Outcome
	Value   T               // set if Outcome is Fresh
	Err     *upstream.Error // set for every outcome except NotAsked, Fresh, Unchanged and Empty
}

// Repository is what GET /repos/{owner}/{name} says.
type Repository struct {
	ID          int64
	FullName    string // owner/name as GitHub writes it
	Stars       int    // stargazers_count
	Forks       int    // forks_count
	Description string // "" if there is none
	Archived    bool
	Disabled    bool // GitHub has disabled it
}

// Commits is what GET /repos/{owner}/{name}/commits?per_page=1 says of the
// default branch.
type Commits struct {
	Last  time.Time // committer date of the newest commit, UTC; zero if unreadable: keep the one known
	Count int       // commits in all; 0 means unknown
}

// Answer is the result of one [Client.Fetch].
type Answer struct {
	Repository    Part[Repository]
	Contributors  Part[[]record.Contribution] // by number of commits, descending, each login once; anonymous contributors are left out. Commits is 0 where GitHub does not tell it
	Commits       Part[Commits]
	Participation Part[[]int] // commits per week, 52 weeks, oldest first

	// Ref is the name to ask by from now on. It is zero if this fetch did not
	// learn it: without a fresh repository, or behind a temporary redirect.
	Ref Ref

	// Validators are the ones to store. Parts that are Fresh have new ones, those
	// that are Empty or Doubtful have none, all others keep what was passed in.
	Validators Validators

	Notes []string // sentences for a person about values that are incomplete

	Requests int // HTTP requests sent; each hop of a redirect counts
	Charged  int // requests that cost primary budget, or may have if no answer came
}

// Without returns the validators without those of the given parts.
func (v Validators) Without(parts Parts) Validators {
	kept := maps.Clone(v)
	for part, name := range partNames {
		if parts&part != 0 {
			maps.DeleteFunc(kept, func(key, _ string) bool {
				return key == name || strings.HasPrefix(key, name+"/") && key != name+doubted
			})
		}
	}
	return kept
}

var partNames = map[Parts]string{PartRepository: "repository", PartContributors: "contributors", PartCommits: "commits", PartParticipation: "participation"}
