package api

import (
	"math"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// minScore is the lowest score of a package.
const minScore = -500

// score rates a package as Django Packages does: its stars, less a tenth of
// them for each full three months since the last commit, less 30 % of them, at
// most 1000, unless it is known to support Python 3; at least -500. Months are
// calendar months. The result is rounded towards zero. An unknown last commit
// costs nothing.
func score(p *record.Package, now time.Time) int {
	stars := p.Repo.Stars
	tenths := 10 * stars
	if commit := p.Repo.LastCommit; commit != nil {
		tenths -= monthsBetween(*commit, now) / 3 * stars
	}
	if !supportsPython3(p) {
		tenths -= min(3*stars, 10*1000)
	}
	return max(minScore, tenths/10)
}

// weight rates a package from 0 to 100:
//
//	up to 40 for stars, 10 for each factor of ten
//	up to 30 for activity: 20 for a commit within 3 months, 10 within 6, 5 within 12, and one for each week with commits of the last 52, at most 10; an archived repository has none
//	up to 30 for upkeep: 10 for a release within 12 months, 5 for an older one, 10 for Python 3, 5 for documentation, 5 for a description
func weight(p *record.Package, now time.Time) int {
	return popularity(p) + activity(p, now) + upkeep(p, now)
}

// gridWeight rates a grid from 0 to 100: 25 each for comparing any packages, for a
// description, for being in the header of a site, and for being locked, which
// suggests that somebody maintains it.
func gridWeight(g *record.Grid, packages int) (points int) {
	for _, has := range []bool{packages > 0, g.Description != "", g.Header, g.IsLocked} {
		if has {
			points += 25
		}
	}
	return points
}

func popularity(p *record.Package) int {
	return min(40, int(10*math.Log10(float64(max(0, p.Repo.Stars)+1))))
}

func activity(p *record.Package, now time.Time) (points int) {
	if p.Repo.Archived {
		return 0
	}
	if commit := p.Repo.LastCommit; commit != nil {
		switch months := monthsBetween(*commit, now); {
		case months < 3:
			points = 20
		case months < 6:
			points = 10
		case months < 12:
			points = 5
		}
	}
	weeks := 0
	for _, commits := range p.Repo.Commits52 {
		if commits > 0 {
			weeks++
		}
	}
	return points + min(10, weeks)
}

func upkeep(p *record.Package, now time.Time) (points int) {
	if released := lastReleased(p); released != nil {
		points += 5
		if monthsBetween(*released, now) < 12 {
			points += 5
		}
	}
	if supportsPython3(p) {
		points += 10
	}
	if p.DocumentationURL != nil && *p.DocumentationURL != "" || p.Project.DocumentationURL != "" {
		points += 5
	}
	if p.Repo.Description != "" {
		points += 5
	}
	return points
}

func supportsPython3(p *record.Package) bool {
	return p.Project.Python3 != nil && *p.Project.Python3
}

// lastReleased returns when the latest version was uploaded, nil if unknown.
func lastReleased(p *record.Package) *time.Time {
	if p.Project.Version == nil {
		return nil
	}
	for _, v := range p.Project.Versions {
		if v.Version == *p.Project.Version {
			return v.Uploaded
		}
	}
	return nil
}

// monthsBetween returns the number of full calendar months, in UTC, between two
// times, 0 if the first is not before the second. A month after January 31 is the
// last day of February.
func monthsBetween(from, to time.Time) int {
	from, to = from.UTC(), to.UTC()
	months := 12*(to.Year()-from.Year()) + int(to.Month()-from.Month())
	lastDay := time.Date(to.Year(), to.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	inMonth := time.Date(to.Year(), to.Month(), min(from.Day(), lastDay), from.Hour(), from.Minute(), from.Second(), from.Nanosecond(), time.UTC)
	if inMonth.After(to) {
		months--
	}
	return max(0, months)
}

// separators are what Django Packages takes for separators in names.
const separators = "_,.- /|"

// noPrefix returns a title or slug in lower case without "django" wherever a
// separator follows, and without that separator.
func noPrefix(s string) string {
	s = strings.ToLower(s)
	for _, separator := range separators {
		s = strings.ReplaceAll(s, "django"+string(separator), "")
	}
	return s
}

// cleanTitle returns the ASCII letters and digits of a slug, in lower case. The
// site slugifies it first, which removes all other letters.
func cleanTitle(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}
