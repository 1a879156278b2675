package sim

import (
	"slices"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// query is one query and its execution.
type query struct {
	w    *World
	x    *exchange
	op   *ast.OperationDefinition
	vars map[string]any
	now  time.Time
	next bool // ids in the new form

	cost    int   // points
	nodes   int64 // that it may return
	dryRun  bool
	refused []graphQLError // why it is not run
	rate    rate           // after it was charged

	repositories int           // that it has read
	spent        time.Duration // by GitHub
	path         []any
	errors       []graphQLError
	collected    map[selection][]*field
}

// value is an object of the schema.
type value interface {
	typeName() string
	field(q *query, b *object, f *field) // writes the value of one field
}

// field is a field that was asked for, with the selections of all places that ask for it
// under the same name.
type field struct {
	name, alias string
	args        map[string]any
	sets        []ast.SelectionSet
	position    *ast.Position
}

// selection names a list of selections, for a type: fields are collected once for each.
type selection struct {
	first    ast.Selection
	n        int
	typeName string
}

// execute returns the data, and whether there is too much of it.
func (w *World) execute(q *query) (data []byte, tooHeavy bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	q.spent = timeBase
	var b object
	q.object(&b, root{}, []ast.SelectionSet{q.op.SelectionSet})
	return b.buf, w.batch.tooHeavy(q.repositories)
}

// object writes what was selected of v.
func (q *query) object(b *object, v value, sets []ast.SelectionSet) {
	b.open()
	for _, f := range q.fields(v.typeName(), sets) {
		b.key(f.alias)
		q.path = append(q.path, f.alias)
		if f.name == "__typename" {
			b.value(v.typeName())
		} else {
			v.field(q, b, f)
		}
		q.path = q.path[:len(q.path)-1]
	}
	b.close()
}

// optional is object, or null for none.
func (q *query) optional(b *object, v value, sets []ast.SelectionSet) {
	if v == nil {
		b.null()
		return
	}
	q.object(b, v, sets)
}

// fail adds an error about the present path.
func (q *query) fail(kind, message string, f *field) {
	e := graphQLError{Type: kind, Path: slices.Clone(q.path), Message: message}
	if f != nil && f.position != nil {
		e.Locations = []gqlerror.Location{{Line: f.position.Line, Column: f.position.Column}}
	}
	q.errors = append(q.errors, e)
}

// fields collects the fields that sets select of a type, in their order.
func (q *query) fields(typeName string, sets []ast.SelectionSet) []*field {
	var key selection
	if len(sets) == 1 && len(sets[0]) > 0 {
		key = selection{sets[0][0], len(sets[0]), typeName}
		if list, ok := q.collected[key]; ok {
			return list
		}
	}
	var list []*field
	for _, set := range sets {
		list = q.collect(list, typeName, set)
	}
	if key.n > 0 {
		q.collected[key] = list
	}
	return list
}

func (q *query) collect(list []*field, typeName string, set ast.SelectionSet) []*field {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.InlineFragment:
			if q.included(s.Directives) && q.applies(s.TypeCondition, typeName) {
				list = q.collect(list, typeName, s.SelectionSet)
			}
		case *ast.FragmentSpread:
			if q.included(s.Directives) && q.applies(s.Definition.TypeCondition, typeName) {
				list = q.collect(list, typeName, s.Definition.SelectionSet)
			}
		case *ast.Field:
			if !q.included(s.Directives) {
				continue
			}
			if i := slices.IndexFunc(list, func(f *field) bool { return f.alias == s.Alias }); i >= 0 {
				list[i].sets = append(list[i].sets, s.SelectionSet)
				continue
			}
			list = append(list, &field{s.Name, s.Alias, s.ArgumentMap(q.vars), []ast.SelectionSet{s.SelectionSet}, s.Position})
		}
	}
	return list
}

// included applies @skip and @include.
func (q *query) included(list ast.DirectiveList) bool {
	for _, d := range list {
		on := d.ArgumentMap(q.vars)["if"] == true
		if d.Name == "skip" && on || d.Name == "include" && !on {
			return false
		}
	}
	return true
}

// applies reports whether a fragment on a type applies to an object of another.
func (q *query) applies(condition, typeName string) bool {
	if condition == "" || condition == typeName {
		return true
	}
	return slices.ContainsFunc(schema().PossibleTypes[condition], func(d *ast.Definition) bool { return d.Name == typeName })
}
