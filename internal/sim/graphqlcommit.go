package sim

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// commitValue is a Commit. Of a head that was found without it, the graph is only read if more is
// asked than its name and date.
type commitValue struct {
	r         *Repo
	oid       oid
	committed int64
	g         *graph
	i         int32 // in g
}

func (*commitValue) typeName() string { return "Commit" }

// commit finds a commit of a repository, nil if it has none of that name.
func (q *query) commit(r *Repo, o oid) *commitValue {
	g := q.w.graph(r, q.now)
	i := g.find(o)
	if i == none {
		return nil
	}
	return &commitValue{r, o, g.nodes[i].committed, g, i}
}

// node reads the graph.
func (c *commitValue) node(q *query) *node {
	if c.g == nil {
		c.g = q.w.graph(c.r, q.now)
		c.i = c.g.find(c.oid)
	}
	return &c.g.nodes[c.i]
}

func (c *commitValue) field(q *query, b *object, f *field) {
	switch f.name {
	case "id":
		b.str(q.id(nodeCommit, c.r.ID, "", c.oid.String()))
	case "oid":
		b.str(c.oid.String())
	case "committedDate":
		b.str(stamp(time.Unix(c.committed, 0)))
	case "authoredDate":
		b.str(stamp(time.Unix(c.node(q).authored, 0)))
	case "author":
		n := c.node(q)
		q.object(b, gitActor{c.g.login(n.author), n.authored}, f.sets)
	case "parents":
		q.object(b, c.parents(q, f), f.sets)
	case "history":
		c.node(q)
		h, err := c.history(q, f)
		if err != nil {
			q.fail("INVALID_CURSOR_ARGUMENTS", err.Error(), f)
			b.null()
			return
		}
		q.object(b, h, f.sets)
	}
}

// gitActor is the author of a commit.
type gitActor struct {
	login string // "" if GitHub does not know the address
	date  int64
}

func (gitActor) typeName() string { return "GitActor" }

func (a gitActor) field(q *query, b *object, f *field) {
	switch f.name {
	case "name", "email":
		name, mail := signature(a.login)
		b.str(map[string]string{"name": name, "email": mail}[f.name])
	case "date":
		b.str(stamp(time.Unix(a.date, 0)))
	case "user":
		if a.login == "" {
			b.null()
			return
		}
		q.object(b, user(a.login), f.sets)
	}
}

// user is a User.
type user string

func (user) typeName() string { return "User" }

func (u user) field(q *query, b *object, f *field) {
	switch f.name {
	case "login":
		b.str(string(u))
	case "databaseId":
		b.value(userID(string(u)))
	case "id":
		b.str(q.id(nodeUser, userID(string(u)), "", ""))
	}
}

// connection is some of many commits.
type connection struct {
	kind    string // name of its type
	r       *Repo
	g       *graph
	commits []int32
	first   int    // position of the first
	more    bool   // there are more
	cursor  string // of position n it is the cursor, and then n
	total   func() int
}

func (p connection) typeName() string { return p.kind }

func (p connection) field(q *query, b *object, f *field) {
	switch f.name {
	case "nodes":
		b.array(len(p.commits), func(i int) {
			n := &p.g.nodes[p.commits[i]]
			q.path = append(q.path, i)
			q.object(b, &commitValue{p.r, n.oid, n.committed, p.g, p.commits[i]}, f.sets)
			q.path = q.path[:len(q.path)-1]
		})
	case "pageInfo":
		q.object(b, pageInfo{p}, f.sets)
	case "totalCount":
		b.value(p.total())
	}
}

type pageInfo struct{ connection }

func (pageInfo) typeName() string { return "PageInfo" }

func (p pageInfo) field(q *query, b *object, f *field) {
	at := func(position int) {
		if len(p.commits) == 0 {
			b.null()
			return
		}
		b.str(p.cursor + strconv.Itoa(position))
	}
	switch f.name {
	case "hasNextPage":
		b.value(p.more)
	case "hasPreviousPage":
		b.value(p.first > 0)
	case "startCursor":
		at(p.first)
	case "endCursor":
		at(p.first + len(p.commits) - 1)
	}
}

// parents is the connection of that name: at most two commits.
func (c *commitValue) parents(q *query, f *field) connection {
	all := make([]int32, 0, 2)
	for _, i := range c.node(q).parents {
		if i != none {
			all = append(all, i)
		}
	}
	first, _ := integer(f.args["first"])
	n := min(int(first), len(all))
	return connection{kind: "CommitConnection", r: c.r, g: c.g, commits: all[:n], more: n < len(all), total: func() int { return len(all) }}
}

// history is the connection of that name. A cursor goes on in the history that it is from,
// whatever was pushed since.
func (c *commitValue) history(q *query, f *field) (connection, error) {
	since, err := date(f.args["since"])
	if err != nil {
		return connection{}, err
	}
	until, err := date(f.args["until"])
	if err != nil {
		return connection{}, err
	}
	p := connection{kind: "CommitHistoryConnection", r: c.r, g: c.g}
	begin := c.i
	if o, position, given, err := cursor(f.args["after"]); err != nil {
		return connection{}, err
	} else if given {
		if begin = c.g.find(o); begin == none {
			return connection{}, errors.New("the cursor is of a history that is not there")
		}
		p.first = position + 1
	}
	p.cursor = c.g.nodes[begin].oid.String() + " "
	listed := c.g.between(begin, since, until)
	commits := c.g.walk(begin)
	next := func() int32 {
		i := commits.next()
		for i != none && !listed(i) {
			i = commits.next()
		}
		return i
	}
	i := next()
	for skipped := 0; skipped < p.first && i != none; skipped++ {
		i = next()
	}
	first, _ := integer(f.args["first"])
	for ; i != none && len(p.commits) < int(first); i = next() {
		p.commits = append(p.commits, i)
	}
	p.more = i != none
	q.spent += timeHistory + time.Duration(len(p.commits))*timeCommit
	p.total = func() (n int) {
		marks, all := c.g.reachable(begin)
		q.spent += time.Duration(all) * timeCounted
		for i, reached := range marks {
			if reached && listed(int32(i)) {
				n++
			}
		}
		return n
	}
	return p, nil
}

// between returns which commits of a history are listed for a range of dates; a zero one is
// open.
func (g *graph) between(begin int32, since, until time.Time) func(int32) bool {
	var out []bool
	if !since.IsZero() {
		out = g.before(begin, since.Unix())
	}
	return func(i int32) bool {
		return (out == nil || !out[i]) && (until.IsZero() || g.nodes[i].committed <= until.Unix())
	}
}

// signature is the name and the address of an author.
func signature(login string) (name, mail string) {
	if login == "" {
		return "A Passer-By", "nobody@localhost.localdomain"
	}
	return login, strings.ToLower(login) + "@users.noreply.github.com"
}
