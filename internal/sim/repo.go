package sim

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"strings"
	"time"
)

// A Repo is a GitHub repository. Its fields may be changed in [World.Edit].
type Repo struct {
	FullName      string // owner/name; see World.Rename
	ID            int64  // not to be changed once added
	NodeID        string
	Description   *string // null where nil
	Homepage      string
	Stars         int // stargazers_count and watchers_count
	Forks         int
	Subscribers   int // subscribers_count: who watches, as GitHub counts them now; unrelated to Stars
	Archived      bool
	Disabled      bool
	DefaultBranch string // "" means main
	License       string // SPDX identifier; "" for none
	Organization  bool   // the owner is one
	Created       time.Time

	// Commits are those of the default branch, in any order. A generated repository
	// also has commits of its own. A repository without commits is empty.
	Commits []Commit
	// Extra adds contributors, or contributions, to those of the commits' authors.
	Extra []Contributor

	OldNames   []string // they redirect to this repository; see World.Rename
	MoveStatus int      // how: 301, 302, 307 or 308; 0 means 301
	Pending    int      // how often participation answers 202 after each push
	TooLarge   bool     // the contributor list is "too large", for good
	Blocked    string   // taken down: "dmca" or another reason is a 451, "tos" a 403

	Unlisted bool // left out of what World.Catalogue derives

	gen         *repoHistory // a generated repository's own events; nil for a declared one
	timeless    bool         // its commits are visible whatever the clock says
	catalogueID int
}

// A Commit is one on the default branch.
type Commit struct {
	At     time.Time // author and committer date
	Author string    // login; "" if GitHub does not know the author's e-mail address
	Merge  bool
}

// A Contributor has authored commits.
type Contributor struct {
	Login         string
	Contributions int
}

func (r *Repo) fill(anchor time.Time) {
	if r.NodeID == "" {
		r.NodeID = nodeID("10:Repository", r.ID)
	}
	if r.DefaultBranch == "" {
		r.DefaultBranch = "main"
	}
	if r.Created.IsZero() {
		r.Created = anchor.Add(-5 * 365 * day)
		for _, c := range r.Commits {
			if c.At.Before(r.Created) {
				r.Created = c.At.UTC().Truncate(time.Second)
			}
		}
	}
}

// Owner is the part of the full name before the slash.
func (r *Repo) Owner() string {
	owner, _, _ := strings.Cut(r.FullName, "/")
	return owner
}

// Name is the part of the full name after the slash.
func (r *Repo) Name() string {
	_, name, _ := strings.Cut(r.FullName, "/")
	return name
}

// URL is the repository's page.
func (r *Repo) URL() string { return "https://github.com/" + r.FullName }

// history is the default branch at one moment.
type history struct {
	commits []Commit  // newest first
	until   time.Time // when it may next change
}

func (r *Repo) history(now time.Time) history {
	h := history{until: never}
	if r.gen != nil {
		h = r.gen.history(now)
	}
	if len(r.Commits) == 0 {
		return h
	}
	for _, c := range r.Commits {
		if c.At.After(now) && !r.timeless {
			h.until = earlier(h.until, c.At)
		} else {
			h.commits = append(h.commits, c)
		}
	}
	slices.SortStableFunc(h.commits, func(a, b Commit) int { return b.At.Compare(a.At) })
	return h
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// head names the newest commit: it changes with every push.
func (h history) head() string {
	if len(h.commits) == 0 {
		return ""
	}
	return fmt.Sprint(len(h.commits), h.commits[0].At.UnixNano())
}

// maxContributors is how many authors GitHub links to logins; the others count as
// anonymous.
const maxContributors = 500

// contributors returns the authors in descending order of their numbers of commits;
// those with the same number are in the order of their first commits.
func (r *Repo) contributors(h history) []Contributor {
	at := map[string]int{}
	var list []Contributor
	add := func(login string, n int) {
		if login == "" || n <= 0 {
			return
		}
		i, ok := at[login]
		if !ok {
			i = len(list)
			at[login] = i
			list = append(list, Contributor{Login: login})
		}
		list[i].Contributions += n
	}
	for _, c := range slices.Backward(h.commits) {
		add(c.Author, 1)
	}
	for _, c := range r.Extra {
		add(c.Login, c.Contributions)
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].Contributions > list[j].Contributions })
	return list[:min(len(list), maxContributors)]
}

// weeks counts the commits that are not merges in the 52 periods of seven days before
// today's UTC midnight, oldest first: those of all authors, and the owner's.
func (r *Repo) weeks(h history, now time.Time) (all, owner [52]int) {
	end := midnight(now)
	for _, c := range h.commits {
		age := end.Sub(c.At)
		if age > 52*7*day {
			break
		}
		if age <= 0 || c.Merge {
			continue // made today, after midnight: in no bucket yet
		}
		i := 51 - int((age-1)/(7*day))
		all[i]++
		if strings.EqualFold(c.Author, r.Owner()) {
			owner[i]++
		}
	}
	return all, owner
}

// stars is the number at a time: that of a generated repository drifts a little every
// day.
func (r *Repo) stars(now time.Time) int {
	if r.gen == nil {
		return r.Stars
	}
	return max(r.Stars+r.gen.drift(now), 0)
}

func userID(login string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(login)))
	return int64(h.Sum32()%90_000_000) + 1000
}

func nodeID(kind string, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "0%s%d", kind, id))
}
