package github

import (
	"time"

	"pkgmetad/internal/record"
)

// A claim is what a part of an answer says of whether there are commits.
type claim int

const (
	silent          claim = iota // nothing: no answer, or one that fits either
	someCommits                  // it shows some: a commit, contributors, a week with commits, or that all is as known
	noLogins                     // contributors only, 200 with an empty list: none that has an account
	nothingThere                 // 204, or 200 with an empty list of commits
	emptyRepository              // 409
)

// testimony is what contributors, commits and participation say side by side,
// and what is known from before.
type testimony struct {
	contributors, commits, participation claim

	cutShort bool // a page of contributors that another one links to has none

	knownCommits, knownLogins int   // 0 means unknown
	stood                     Parts // have been doubted for as long as doubt lasts, and nothing has contradicted them
}

// doubtLasts is for how long a claim is doubted that only what is known speaks against.
const doubtLasts = 24 * time.Hour // GitHub's caches last for hours

// doubtedSince returns since when a claim of the named part has been in doubt: now,
// unless the validators tell.
func (v Validators) doubtedSince(part string, now time.Time) time.Time {
	since, err := time.Parse(time.RFC3339, v[part+doubted])
	if err != nil || since.After(now) { // after now: from a clock that was wrong
		return now
	}
	return since
}

const doubted = "/empty-since" // after a part's name, among Validators

// doubts tells for each part what speaks against it, in a sentence for a person;
// "" means that it is believed.
type doubts struct{ contributors, commits, participation string }

// doubts applies the rules that [Client.Fetch] states.
func (t testimony) doubts() doubts {
	return doubts{
		contributors:  t.doubt(PartContributors, t.contributors),
		commits:       t.doubt(PartCommits, t.commits),
		participation: t.doubt(PartParticipation, t.participation),
	}
}

// doubt returns what speaks against claim c of a part.
func (t testimony) doubt(part Parts, c claim) string {
	empty := t.says(emptyRepository)
	switch c {
	case someCommits:
		switch {
		case part != PartCommits && t.commits == emptyRepository:
			return "there are commits here, but the list of commits says that the repository is empty"
		case part == PartContributors && t.cutShort && t.stood&part == 0:
			return "GitHub's list of contributors ends in an empty page, though it says that more follow"
		}
	case nothingThere, emptyRepository:
		switch {
		case t.says(someCommits) > 0:
			return "GitHub says that there is nothing, but " + t.witness()
		case empty == 0:
			return "GitHub says that there is nothing, but no other answer says that the repository is empty"
		case empty+t.says(nothingThere)+t.says(noLogins) > 1 || t.stood&part != 0:
		case t.knownCommits > 0:
			return "GitHub says that the repository is empty, but it is known to have " + record.Count(t.knownCommits, "commit", "commits")
		case t.knownLogins > 0:
			return "GitHub says that the repository is empty, but it is known to have " + record.Count(t.knownLogins, "contributor", "contributors")
		}
	case noLogins:
		agreed := empty > 0 && t.says(someCommits) == 0
		if t.knownLogins > 0 && !agreed && t.stood&part == 0 {
			return "GitHub lists nobody, but it is known to have " + record.Count(t.knownLogins, "contributor", "contributors")
		}
	}
	return ""
}

// canStand reports whether claim c of a part, once in doubt, is believed after a while.
func (t testimony) canStand(part Parts, c claim) bool {
	switch c {
	case noLogins:
		return true
	case emptyRepository:
		return t.says(someCommits) == 0
	case someCommits:
		return part == PartContributors && t.cutShort
	}
	return false
}

// says returns how many parts make a claim.
func (t testimony) says(c claim) (n int) {
	for _, said := range []claim{t.contributors, t.commits, t.participation} {
		if said == c {
			n++
		}
	}
	return n
}

// witness names a part that shows commits.
func (t testimony) witness() string {
	switch someCommits {
	case t.commits:
		return "the list of commits is not empty"
	case t.contributors:
		return "contributors are listed"
	}
	return "the weekly counts show commits"
}

// parts returns the parts that are in doubt.
func (d doubts) parts() (p Parts) {
	if d.contributors != "" {
		p |= PartContributors
	}
	if d.commits != "" {
		p |= PartCommits
	}
	if d.participation != "" {
		p |= PartParticipation
	}
	return p
}
