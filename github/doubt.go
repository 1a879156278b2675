package github

import (
	"fmt"
	"time"
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

	knownCommits, knownLogins int       // 0 means unknown
	moved                     bool      // the commits are not those known
	repeated                  Parts     // asked twice, and said the same
	emptySince, now           time.Time // when the list of contributors was first found empty
}

const (
	emptySince  = "contributors/empty-since" // among Validators
	emptyStands = 24 * time.Hour             // GitHub's caches last for hours
)

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
		if part != PartCommits && t.commits == emptyRepository {
			return "there are commits here, but the list of commits says that the repository is empty"
		}
	case nothingThere, emptyRepository:
		switch {
		case t.says(someCommits) > 0:
			return "GitHub says that there is nothing, but " + t.witness()
		case empty == 0:
			return "GitHub says that there is nothing, but no other answer says that the repository is empty"
		case t.knownCommits > 0 && empty+t.says(nothingThere)+t.says(noLogins) == 1 && t.repeated&part == 0:
			return fmt.Sprintf("GitHub says that the repository is empty, but %d commits are known", t.knownCommits)
		}
	case noLogins:
		switch {
		case t.knownLogins == 0 || empty > 0 && t.says(someCommits) == 0 || t.now.Sub(t.emptySince) >= emptyStands:
		case t.repeated&part == 0 || !t.moved:
			return fmt.Sprintf("GitHub lists nobody, but %d contributors are known", t.knownLogins)
		}
	}
	return ""
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

// sameAs returns the parts of which t and u say the same.
func (t testimony) sameAs(u testimony) (p Parts) {
	if t.contributors == u.contributors {
		p |= PartContributors
	}
	if t.commits == u.commits {
		p |= PartCommits
	}
	if t.participation == u.participation {
		p |= PartParticipation
	}
	return p
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
