package sim

import (
	"strconv"
	"time"
)

// root is Query.
type root struct{}

func (root) typeName() string { return "Query" }

func (root) field(q *query, b *object, f *field) {
	switch {
	case f.name == "rateLimit" && q.w.opt.NoLimits:
		b.null()
	case f.name == "rateLimit":
		q.object(b, rateLimit{}, f.sets)
	case q.dryRun:
		b.null()
	case f.name == "node":
		id, _ := f.args["id"].(string)
		q.optional(b, q.node(id, f), f.sets)
	case f.name == "nodes":
		ids, _ := f.args["ids"].([]any)
		b.array(len(ids), func(i int) {
			q.path = append(q.path, i)
			id, _ := ids[i].(string)
			q.optional(b, q.node(id, f), f.sets)
			q.path = q.path[:len(q.path)-1]
		})
	case f.name == "repository":
		q.optional(b, q.repository(f), f.sets)
	default: // introspection
		q.fail("", "The simulator does not answer "+f.name+".", f)
		b.null()
	}
}

// node finds an object by its id.
func (q *query) node(id string, f *field) value {
	kind, repo, rest := parseNodeID(id)
	r := q.w.repoByNode[id]
	if r == nil && (kind == nodeRepository || kind == nodeCommit) {
		r = q.w.repo(repo)
	}
	if r != nil {
		r = r.at(q.now)
	}
	switch {
	case r == nil:
	case kind == nodeCommit:
		if o, ok := parseOID(rest); ok {
			if c := q.commit(r, o); c != nil {
				return c
			}
		}
	default:
		return q.read(r, f)
	}
	q.fail("NOT_FOUND", "Could not resolve to a node with the global id of '"+id+"'", f)
	return nil
}

func (q *query) repository(f *field) value {
	owner, _ := f.args["owner"].(string)
	name, _ := f.args["name"].(string)
	fullName := owner + "/" + name
	r, moved := q.w.named(fullName, q.now)
	if r == nil || moved && f.args["followRenames"] == false {
		q.fail("NOT_FOUND", "Could not resolve to a Repository with the name '"+fullName+"'.", f)
		return nil
	}
	return q.read(r, f)
}

// read returns a repository, unless something keeps it from being read.
func (q *query) read(r *Repo, f *field) value {
	q.repositories++
	q.spent += timeRepository
	fault := q.w.faults.takeNode(r)
	if d, ok := fault.delay(); ok {
		q.x.slow += d
		fault = ""
	}
	switch {
	case fault == NotFound:
		q.fail("NOT_FOUND", "Could not resolve to a Repository with the name '"+r.FullName+"'.", f)
	case fault == ResourceLimits, q.x.partial && q.repositories%2 == 0, q.w.batch.tooMany(q.repositories):
		q.fail("RESOURCE_LIMITS_EXCEEDED", "Resource limits for this query exceeded.", f)
	case fault != "":
		q.fail("", "Something went wrong while executing your query.", f)
	case r.Blocked != "":
		q.fail("FORBIDDEN", "Repository access blocked", f)
	default:
		return repository{r}
	}
	return nil
}

type repository struct{ *Repo }

func (repository) typeName() string { return "Repository" }

func (r repository) field(q *query, b *object, f *field) {
	switch f.name {
	case "id":
		b.str(q.id(nodeRepository, r.ID, r.NodeID, ""))
	case "databaseId":
		b.value(r.ID)
	case "name":
		b.str(r.Name())
	case "nameWithOwner":
		b.str(r.FullName)
	case "description":
		b.value(r.Description)
	case "homepageUrl":
		b.value(notEmpty(r.Homepage))
	case "url":
		b.str(r.URL())
	case "stargazerCount":
		b.value(r.Stars)
	case "forkCount":
		b.value(r.Forks)
	case "isArchived":
		b.value(r.Archived)
	case "isDisabled":
		b.value(r.Disabled)
	case "isFork", "isPrivate":
		b.value(false)
	case "createdAt":
		b.str(stamp(r.Created))
	case "isEmpty", "pushedAt", "defaultBranchRef":
		r.fieldOfHead(q, b, f)
	case "object":
		text, _ := f.args["oid"].(string)
		if o, ok := parseOID(text); ok {
			if c := q.commit(r.Repo, o); c != nil {
				q.object(b, c, f.sets)
				return
			}
		}
		b.null()
	}
}

func (r repository) fieldOfHead(q *query, b *object, f *field) {
	o, committed, ok := q.w.tip(r.Repo, q.now)
	switch {
	case f.name == "isEmpty":
		b.value(!ok)
	case f.name == "pushedAt" && ok:
		b.str(stamp(time.Unix(committed, 0)))
	case f.name == "pushedAt":
		b.str(stamp(r.Created))
	case ok:
		q.object(b, ref{r.Repo, o, committed}, f.sets)
	default:
		b.null()
	}
}

// ref is the default branch.
type ref struct {
	r         *Repo
	head      oid
	committed int64
}

func (ref) typeName() string { return "Ref" }

func (x ref) field(q *query, b *object, f *field) {
	switch f.name {
	case "id":
		b.str(nodeID("3:Ref", strconv.FormatInt(x.r.ID, 10)+":refs/heads/"+x.r.DefaultBranch))
	case "name":
		b.str(x.r.DefaultBranch)
	case "prefix":
		b.str("refs/heads/")
	case "target":
		q.object(b, &commitValue{r: x.r, oid: x.head, committed: x.committed}, f.sets)
	}
}

// rateLimit is the state of the budget, the cost of the query included.
type rateLimit struct{}

func (rateLimit) typeName() string { return "RateLimit" }

func (rateLimit) field(q *query, b *object, f *field) {
	switch f.name {
	case "cost":
		b.value(q.cost)
	case "limit":
		b.value(q.rate.limit)
	case "nodeCount":
		b.value(q.nodes)
	case "remaining":
		b.value(q.rate.limit - q.rate.used)
	case "used":
		b.value(q.rate.used)
	case "resetAt":
		b.str(stamp(q.rate.reset))
	}
}
