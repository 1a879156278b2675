package record

import (
	"slices"
	"strings"
	"time"
)

// Wins reports whether what was learnt about a source replaces what is stored
// about it. A pass, an import and any other writer follow this one rule:
//
//   - The later success wins. A failed attempt never undoes a success.
//   - Between equals the later attempt wins, then what was fetched here over what
//     another site fetched, then the new over the old.
//   - A time after now comes from a wrong clock and counts as none, so that it
//     cannot keep later answers out. Two such times are of one clock, which has been
//     set back since, and are compared as they are.
func Wins(learnt, stored *Source, now time.Time) bool {
	compare := func(a, b time.Time) int {
		switch aheadA, aheadB := a.After(now), b.After(now); {
		case aheadA && !aheadB:
			a = time.Time{}
		case aheadB && !aheadA:
			b = time.Time{}
		}
		return a.Compare(b)
	}
	if c := compare(learnt.LastSuccess, stored.LastSuccess); c != 0 {
		return c > 0
	}
	if c := compare(learnt.LastAttempt, stored.LastAttempt); c != 0 {
		return c > 0
	}
	return !learnt.Imported || stored.Imported || stored.LastSuccess.IsZero()
}

// SameServed reports whether a and b agree in all that is served of a source.
// Fields that are only stored, such as the state, do not count. A source has
// "changed" where this is false.
func SameServed(a, b *Source) bool {
	x, y := orZero(a.Repo), orZero(b.Repo)
	return x.Stars == y.Stars && x.Forks == y.Forks && x.Description == y.Description &&
		slices.Equal(x.Participants, y.Participants) && slices.Equal(x.Commits52, y.Commits52) && sameTime(x.LastCommit, y.LastCommit) &&
		SameText(orZero(a.Project).Version, orZero(b.Project).Version)
}

func orZero[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// LastFetched returns the time that all of the fetched half of p is at least as
// fresh as: the older of the last successes of its sources. A source that is gone
// or blocked does not count, since nothing fresher is available. The result is zero
// until each of the others has answered once.
//
// It is never earlier than p.LastFetched: a source that reappears after it was gone
// makes nothing staler. Only a p.LastFetched after now, from a wrong clock, is
// replaced. Where p now refers to another source, clear p.LastFetched first.
func LastFetched(p *Package, now time.Time) time.Time {
	var oldest time.Time
	counted := false
	for _, s := range []*Status{&p.GitHub, &p.PyPI} {
		if !s.State.Answers() {
			continue
		}
		if !counted || s.LastSuccess.Before(oldest) {
			oldest, counted = s.LastSuccess, true
		}
	}
	if oldest.Before(p.LastFetched) && !p.LastFetched.After(now) {
		return p.LastFetched
	}
	return oldest
}

// Follow returns the source that a package begins with when its URL has come to
// resolve to key instead of old.Key. old is nil for no source.
//
// If key is the name that GitHub has already reported for old, the URL has caught up
// with a rename and the data is kept. Otherwise the source starts without data: what
// is known about one repository must not be served under the URL of another. The
// old data is kept as Former, in case the first answer shows that both names mean
// the same repository.
func Follow(old *Source, key Key) Source {
	s := Source{Key: key, Status: Status{State: StateNew}}
	if old == nil || old.Repo == nil {
		return s
	}
	if renamed(old.Key, old.Repo.Name) == key {
		s = *old
		s.Key, s.NextDue = key, time.Time{}
		return s
	}
	former := *old.Repo
	s.Former = &former
	return s
}

// renamed returns the key of the repository fullName, which is owner/name, on the
// host of key; "" if fullName is of another form.
func renamed(key Key, fullName string) Key {
	host, _, _, _ := key.Repo()
	owner, name, ok := strings.Cut(fullName, "/")
	if !ok {
		return ""
	}
	return RepoKey(host, owner, name)
}

// Renamed returns the name that GitHub has for the repository, owner/name, where the
// package's URL names another one, which GitHub forwards; ok is false otherwise.
func (p *Package) Renamed() (name string, ok bool) {
	to := renamed(p.RepoKey, p.Repo.Name)
	return p.Repo.Name, p.RepoKey != "" && to != "" && to != p.RepoKey
}

// IsDue reports whether the source is due at now.
func (s *Status) IsDue(now time.Time) bool { return s.State.Fetchable() && !s.NextDue.After(now) }

// SameEntry reports whether a and b declare the same.
func SameEntry(a, b *Entry) bool {
	return a.ID == b.ID && a.Slug == b.Slug && a.Title == b.Title && a.Category == b.Category &&
		slices.Equal(a.Grids, b.Grids) && a.Created.Equal(b.Created) && a.StaleAfter == b.StaleAfter &&
		SameText(a.RepoURL, b.RepoURL) && SameText(a.PyPIURL, b.PyPIURL) && SameText(a.DocumentationURL, b.DocumentationURL)
}

// SameText reports whether a and b are both nil or hold the same text.
func SameText(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
