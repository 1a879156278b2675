package record

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Column is what a list of packages is sorted by.
type Column string

const (
	ByDefault      Column = "" // the order of the list itself
	ByName         Column = "name"
	ByStars        Column = "stars"
	ByForks        Column = "forks"
	ByParticipants Column = "participants"
	ByCommits      Column = "commits" // of 52 weeks
	ByUpdated      Column = "updated" // last commit
	ByVersion      Column = "version" // by its first four numbers; a pre-release comes before its release
	ByReleased     Column = "released"
	ByPython       Column = "python" // by the newest version named, then the oldest
	ByDjango       Column = "django" // likewise
	ByMaturity     Column = "maturity"
	ByLicence      Column = "licence"
)

// A ListQuery asks for a part of a list of packages. Nil IDs stand for all packages, newest
// in the catalogue first, or for those of a category, by name.
type ListQuery struct {
	IDs        []int // lists these packages in this order; nil for no such list
	Category   int   // id of a category to list; 0 for none
	Sort       Column
	Descending bool

	Alive   bool // leave out packages with marks, as [Package.Marks] gives them at Now
	Python3 bool // leave out those that are not known to support Python 3
	Stable  bool // leave out those that are neither stable nor mature
	Now     time.Time

	Offset, Limit int  // of the part that is wanted
	Django        bool // count the packages that name each version of Django
}

// A Listing is the answer to a ListQuery.
type Listing struct {
	IDs    []int // of the part that was asked for
	Count  int   // packages in the list that pass the filters
	All    int   // packages in the list
	Django []VersionCount
}

// VersionCount is how many packages of a Listing name a version.
type VersionCount struct {
	Version  string
	Packages int
}

// Listed is what lists sort and filter a package by: of fixed size, so that a million of them
// fit in memory. Unknown numbers and times are 0; known numbers are stored plus one.
type Listed struct {
	ID, Category                        int
	Version                             uint64 // see orderedVersion
	Djangos                             uint64 // a bit for each version of Django that it names; see djangoBit
	Stars, Forks, Participants, Commits uint32
	Updated, LastRelease, Released      uint32 // seconds since 1970
	Python, Django                      uint32 // the newest and the oldest version named; see orderedSpan
	Maturity, Flags                     uint8

	// Places in the orders of all packages by name and by slug, and of all licences, from 1.
	Name, Slug, Licence uint32
}

// The flags of Listed.
const (
	listedMarked  = 1 << iota // has a mark that time neither gives nor takes away
	listedPython3             // supports Python 3
)

// Counted reports whether the numbers of p come from GitHub. If GitHub was never asked or
// never answered, they are zeros that mean nothing.
func (p *Package) Counted() bool {
	return !p.GitHub.LastSuccess.IsZero() || p.Repo.Stars > 0 || p.Repo.Forks > 0 || len(p.Repo.Participants) > 0
}

// Listed returns what lists know of p, but for the places in the orders of all packages.
func (p *Package) Listed() Listed {
	l := Listed{ID: p.ID, Category: p.Category, Maturity: uint8(max(0, min(p.Project.Status, math.MaxUint8)))}
	if p.Counted() {
		l.Stars, l.Forks, l.Participants = known(p.Repo.Stars), known(p.Repo.Forks), known(len(p.Repo.Participants))
	}
	if p.Repo.Commits52 != nil {
		sum := 0
		for _, n := range p.Repo.Commits52 {
			sum += max(0, min(n, math.MaxInt32))
		}
		l.Commits = known(sum)
	}
	if p.Project.Version != nil {
		l.Version = orderedVersion(*p.Project.Version)
	}
	if s := p.Project.Support; s != nil {
		l.Python, l.Django = orderedSpan(s.Python), orderedSpan(s.Django)
		for _, version := range s.Django {
			if bit, ok := djangoBit(version); ok {
				l.Djangos |= 1 << bit
			}
		}
	}
	l.Updated, l.LastRelease, l.Released = seconds(p.Repo.LastCommit), seconds(p.Project.LastRelease()), seconds(p.Project.Released())
	if len(p.Marks(time.Unix(0, 0))) > 0 { // so early that nothing has become old
		l.Flags |= listedMarked
	}
	if p.Project.Python3 != nil && *p.Project.Python3 {
		l.Flags |= listedPython3
	}
	return l
}

// passes reports whether l passes the filters of q.
func (l *Listed) passes(q *ListQuery) bool {
	old := func(seconds uint32, within time.Duration) bool {
		return seconds != 0 && int64(seconds) < q.Now.Add(-within).Unix()
	}
	return (!q.Alive || l.Flags&listedMarked == 0 && !old(l.LastRelease, ReleaseWithin) && !old(l.Updated, CommitWithin)) &&
		(!q.Python3 || l.Flags&listedPython3 != 0) &&
		(!q.Stable || l.Maturity == 5 || l.Maturity == 6)
}

// value is what l is sorted by in a column; 0 if it is unknown.
func (l *Listed) value(c Column) uint64 {
	switch c {
	case ByName:
		return uint64(l.Name)
	case ByStars:
		return uint64(l.Stars)
	case ByForks:
		return uint64(l.Forks)
	case ByParticipants:
		return uint64(l.Participants)
	case ByCommits:
		return uint64(l.Commits)
	case ByUpdated:
		return uint64(l.Updated)
	case ByVersion:
		return l.Version
	case ByReleased:
		return uint64(l.Released)
	case ByPython:
		return uint64(l.Python)
	case ByDjango:
		return uint64(l.Django)
	case ByMaturity:
		return uint64(l.Maturity)
	case ByLicence:
		return uint64(l.Licence)
	}
	return 0
}

// known returns a number plus one.
func known(n int) uint32 { return uint32(max(0, min(n, math.MaxUint32-1))) + 1 }

// seconds returns a time in seconds since 1970, as near as they come to it; 0 for nil.
func seconds(t *time.Time) uint32 {
	if t == nil {
		return 0
	}
	return uint32(max(1, min(t.Unix(), math.MaxUint32)))
}

// orderedVersion returns a number that versions are ordered by, 0 for a text that does not
// begin with a number: its epoch, four numbers and whether it comes before its release or after, each capped.
func orderedVersion(version string) uint64 {
	rest := strings.TrimPrefix(strings.ToLower(version), "v")
	epoch := uint64(0)
	if before, after, ok := strings.Cut(rest, "!"); ok {
		epoch, _ = strconv.ParseUint(before, 10, 64)
		rest = after
	}
	order := min(epoch, 1<<2-1)
	read := false
	for _, bits := range []int{25, 13, 13, 8} {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n := uint64(0)
		if digits > 0 {
			n, _ = strconv.ParseUint(rest[:digits], 10, 64) // one that does not fit is the largest
			read = true
			rest = rest[digits:]
			if len(rest) > 1 && rest[0] == '.' && rest[1] >= '0' && rest[1] <= '9' {
				rest = rest[1:]
			}
		}
		order = order<<bits | min(n, 1<<bits-1)
	}
	if !read {
		return 0
	}
	phase := uint64(2)
	switch suffix := strings.TrimLeft(rest, ".-_"); {
	case strings.HasPrefix(suffix, "dev"):
		phase = 0
	case suffix != "" && strings.ContainsRune("abcr", rune(suffix[0])) && !strings.HasPrefix(suffix, "rev"): // alpha, beta, candidate
		phase = 1
	case strings.HasPrefix(suffix, "post"), strings.HasPrefix(suffix, "rev"):
		phase = 3
	}
	return (order<<2 | phase) + 1
}

// orderedSpan returns a number that lists of versions, which ascend, are ordered by: the
// newest, then the oldest; 0 for none.
func orderedSpan(versions []string) uint32 {
	versions = exact(versions)
	if len(versions) == 0 {
		return 0
	}
	return orderedPair(versions[len(versions)-1])<<16 | orderedPair(versions[0])
}

// orderedPair returns a version of two numbers as 16 bits, never 0.
func orderedPair(version string) uint32 {
	major, minor := pair(version)
	return uint32(min(major, 1<<7-1)<<9|min(minor, 1<<9-2)) + 1
}

// exact leaves out the versions without a minor number, such as "3", if there are others.
func exact(versions []string) (those []string) {
	for _, v := range versions {
		if strings.Contains(v, ".") {
			those = append(those, v)
		}
	}
	if those == nil {
		return versions
	}
	return those
}

// Span writes versions, which ascend, in short: "3.10–3.13"; "" for none. A version without a
// minor number counts where there is no other.
func Span(versions []string) string {
	versions = exact(versions)
	switch len(versions) {
	case 0:
		return ""
	case 1:
		return versions[0]
	}
	return versions[0] + "–" + versions[len(versions)-1]
}

func pair(version string) (major, minor int) {
	before, after, _ := strings.Cut(version, ".")
	major, _ = strconv.Atoi(before)
	minor, _ = strconv.Atoi(after)
	return major, minor
}

// Django numbers its releases so that each fits a bit: 1.0 to 1.15 come first, then four of
// each major version, which in fact has three.
const (
	djangoOnes  = 16
	djangoMinor = 4
)

// djangoBit returns the bit of a version of Django. ok is false for one without a minor
// number, and for one that cannot be.
func djangoBit(version string) (bit int, ok bool) {
	if !strings.Contains(version, ".") {
		return 0, false
	}
	major, minor := pair(version)
	if major == 1 {
		return minor, 0 <= minor && minor < djangoOnes
	}
	bit = djangoOnes + (major-2)*djangoMinor + minor
	return bit, major > 1 && 0 <= minor && minor < djangoMinor && bit < 64
}

// djangoVersion returns the version of Django that has a bit.
func djangoVersion(bit int) string {
	major, minor := 1, bit
	if bit >= djangoOnes {
		major, minor = 2+(bit-djangoOnes)/djangoMinor, (bit-djangoOnes)%djangoMinor
	}
	return strconv.Itoa(major) + "." + strconv.Itoa(minor)
}
