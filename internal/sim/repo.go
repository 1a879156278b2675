package sim

import (
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"slices"
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

	// Commits in any order: the one that was pushed last is the head of the default branch.
	// A generated repository also has commits of its own. A repository without commits is
	// empty. See also World.Push, World.Merge, World.ForcePush and World.ResetHead.
	Commits []Commit
	// Head is the OID of the head of the default branch; "" means the commit that was pushed
	// last.
	Head string
	// Extra adds contributors, or contributions, to those of the commits' authors.
	Extra []Contributor

	OldNames   []string // they redirect to this repository; see World.Rename
	MoveStatus int      // how: 301, 302, 307 or 308; 0 means 301
	Pending    int      // how often participation answers 202 after each push
	TooLarge   bool     // the contributor list is "too large", for good
	Blocked    string   // taken down: "dmca" or another reason is a 451, "tos" a 403

	Unlisted bool // left out of what World.Catalogue derives

	gen         *repoHistory // a generated repository's pushes; nil for a declared or an empty one
	life        *life        // what else happens to a generated one; nil for a declared one
	timeless    bool         // its commits are visible whatever the clock says
	catalogueID int

	until time.Time // only of what at returns, the repository at a moment: when its life may next change it
}

// A Commit is one of the default branch, or was until a forced push.
type Commit struct {
	At       time.Time // committer date
	Authored time.Time // author date; zero means At
	Pushed   time.Time // when it comes to the repository; zero means At
	Author   string    // login; "" if GitHub does not know the author's e-mail address
	Merge    bool      // of the head and the commit before that, unless Parents says otherwise

	OID     string   // 40 hex digits; "" means a hash of the other fields
	Parents []string // OIDs of at most two commits that come before; nil means the head
}

func (c Commit) pushed() time.Time {
	if c.Pushed.IsZero() {
		return c.At
	}
	return c.Pushed
}

// A Contributor has authored commits.
type Contributor struct {
	Login         string
	Contributions int
}

func (r *Repo) fill(anchor time.Time) {
	if r.NodeID == "" {
		r.NodeID = legacyID(nodeRepository, r.ID, "")
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

// graph is the repository's commits as of now.
func (r *Repo) graph(now time.Time) *graph {
	b := newBuilder(r.gen)
	if r.gen != nil {
		b.until = r.gen.nextPush(now)
	}
	commits := slices.Clone(r.Commits)
	slices.SortStableFunc(commits, func(a, b Commit) int { return a.pushed().Compare(b.pushed()) })
	for _, c := range commits {
		if c.pushed().After(now) && !r.timeless {
			b.until = earlier(b.until, c.pushed())
			break
		}
		b.advance(c.pushed())
		b.declared(r, c)
	}
	b.advance(now)
	if o, ok := parseOID(r.Head); ok {
		if i := b.find(o); i != none {
			b.head = i
		}
	}
	return b.graph
}

// declared adds a declared commit, which becomes the head.
func (b *builder) declared(r *Repo, c Commit) {
	n := node{committed: c.At.Unix(), authored: c.At.Unix(), parents: [2]int32{b.head, none}, author: b.author(c.Author)}
	if !c.Authored.IsZero() {
		n.authored = c.Authored.Unix()
	}
	if c.Merge && b.head != none {
		n.parents[1] = b.nodes[b.head].parents[0]
	}
	if c.Parents != nil {
		n.parents = [2]int32{none, none}
		for i, parent := range c.Parents[:min(len(c.Parents), len(n.parents))] {
			if o, ok := parseOID(parent); ok {
				n.parents[i] = b.find(o)
			}
		}
	}
	var ok bool
	if n.oid, ok = parseOID(c.OID); !ok {
		hash := sha256.New()
		fmt.Fprintln(hash, r.ID, n.committed, n.authored, c.Author)
		for _, p := range n.parents {
			if p != none {
				hash.Write(b.nodes[p].oid[:])
			}
		}
		copy(n.oid[:], hash.Sum(nil))
	}
	b.head = b.add(n)
	b.heads = append(b.heads, b.head)
}

// tip is the newest commit: its hash, and its commit date as Unix seconds. ok is false in an
// empty repository.
func (w *World) tip(r *Repo, now time.Time) (o oid, committed int64, ok bool) {
	if r.pristine() {
		o, committed = r.gen.tip(now)
		return o, committed, true
	}
	g := w.graph(r, now)
	if g.head == none {
		return o, 0, false
	}
	return g.nodes[g.head].oid, g.nodes[g.head].committed, true
}

// pushed is when the default branch was pushed to, or the repository created, and until when
// that stays so.
func (w *World) pushed(r *Repo, now time.Time) (at, until time.Time) {
	_, committed, ok := w.tip(r, now)
	if r.pristine() {
		until = r.gen.nextPush(now)
	} else {
		until = w.graph(r, now).until
	}
	if !ok {
		return r.Created, until
	}
	return time.Unix(committed, 0), until
}

// pristine reports whether a repository has its generated commits alone.
func (r *Repo) pristine() bool { return r.gen != nil && len(r.Commits) == 0 && r.Head == "" }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func userID(login string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(login)))
	return int64(h.Sum32()%90_000_000) + 1000
}
