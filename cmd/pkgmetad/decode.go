package main

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// decoder fills Go values from a YAML tree by their yaml tags, strictly: what
// has no field, comes twice or has the wrong type is a problem, and nothing is
// converted silently. It goes on to the end whatever it meets.
type decoder struct {
	problems  *problems
	known     []string         // full name of every key there is
	positions map[any]position // of each value given, by the pointer to it; nil: not recorded
}

// decodeYAML fills dst, a pointer to a struct, from root. positions, if not
// nil, receives where each value stands, by the pointer to it.
func decodeYAML(root ast.Node, dst any, positions map[any]position, ps *problems) {
	defer func() {
		if r := recover(); r != nil {
			ps.add(position{1, 1}, "", "this file could not be understood; simplify it")
		}
	}()
	v := reflect.ValueOf(dst).Elem()
	d := &decoder{problems: ps, known: keyNames(v.Type(), ""), positions: positions}
	d.value(root, v, nodePosition(root), nil)
}

// keyPath names a value; it becomes text only where there is a problem.
type keyPath struct {
	parent *keyPath
	key    string
	item   int // of a list, from 1; 0: a key
	node   ast.Node
}

func (p *keyPath) String() string {
	switch {
	case p == nil:
		return ""
	case p.item > 0:
		return p.parent.String() + "[" + itemLabel(p.item, slugOf(p.node)) + "]"
	case p.parent == nil:
		return safeKey(p.key)
	}
	return p.parent.String() + "." + safeKey(p.key)
}

var plainKey = regexp.MustCompile(`^[-A-Za-z0-9_.]{1,60}$`)

// safeKey keeps an odd key from breaking the line that it is named in.
func safeKey(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return shortQuote(key)
}

// itemLabel names an item of a list by its slug or else by its place.
func itemLabel(item int, slug string) string {
	if slug != "" {
		return safeKey(slug)
	}
	return fmt.Sprintf("#%d", item)
}

func slugOf(n ast.Node) string {
	for _, pair := range pairsOf(n) {
		if keyText(pair.Key) == "slug" {
			if s, ok := scalarOf(pair.Value); ok && s.kind != nullKind {
				return s.text
			}
		}
	}
	return ""
}

// placed values want to know where in a list they stand.
type placed interface{ setPlace(at position, item int) }

func (d *decoder) value(n ast.Node, v reflect.Value, at position, path *keyPath) {
	dst := v.Addr().Interface()
	if d.positions != nil {
		d.positions[dst] = at
	}
	if p, ok := dst.(placed); ok && path != nil {
		p.setPlace(at, path.item)
	}
	s, isScalar := scalarOf(n)
	switch {
	case settable(dst):
		if !isScalar {
			d.problems.add(at, path.String(), "needs %s, not %s", wanted(dst), describe(n))
		} else if err := setScalar(dst, s); err != nil {
			d.problems.add(s.at, path.String(), "%s", err)
		}
	case isScalar && s.kind == nullKind && path != nil:
		// An empty section or list: all that is in it is commented out.
	case v.Kind() == reflect.Struct:
		d.mapping(n, v, at, path)
	case v.Kind() == reflect.Slice:
		d.sequence(n, v, at, path)
	default:
		panic("no way to decode into " + v.Type().String())
	}
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, at position, path *keyPath) {
	if !isMapping(n) {
		d.problems.add(at, path.String(), "needs the keys %s below it, not %s", strings.Join(keysOf(v.Type()), ", "), describe(n))
		return
	}
	first := make(map[string]position)
	for _, pair := range pairsOf(n) {
		key, keyAt := keyText(pair.Key), nodePosition(pair.Key)
		child := &keyPath{parent: path, key: key}
		field := fieldOf(v, key)
		if earlier, twice := first[key]; twice {
			d.problems.add(keyAt, child.String(), "is given on line %d already; keep one of the two", earlier.line)
			continue
		}
		first[key] = keyAt
		if !field.IsValid() {
			d.problems.add(keyAt, child.String(), "%s", unknownKey(key, keysOf(v.Type()), d.known))
			continue
		}
		valueAt := nodePosition(pair.Value)
		if isMapping(pair.Value) || isNull(pair.Value) {
			valueAt = keyAt
		}
		d.value(pair.Value, field, valueAt, child)
	}
}

func (d *decoder) sequence(n ast.Node, v reflect.Value, at position, path *keyPath) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.problems.add(at, path.String(), "needs a list, each entry on a line that starts with \"- \", not %s", describe(n))
		return
	}
	// At its full length at once: recorded pointers must stay good.
	v.Set(reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values)))
	for i, item := range list.Values {
		d.value(item, v.Index(i), nodePosition(item), &keyPath{parent: path, item: i + 1, node: item})
	}
}

func fieldOf(v reflect.Value, key string) reflect.Value {
	for i := range v.NumField() {
		if tag := v.Type().Field(i).Tag.Get("yaml"); tag != "" && tag == key {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// keysOf lists the keys of a section.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			keys = append(keys, tag)
		}
	}
	return keys
}

// keyNames lists the full names of all keys that stand in sections.
func keyNames(t reflect.Type, prefix string) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("yaml")
		switch {
		case tag == "":
		case f.Type.Kind() == reflect.Struct && !settable(reflect.New(f.Type).Interface()):
			names = append(names, keyNames(f.Type, prefix+tag+".")...)
		default:
			names = append(names, prefix+tag)
		}
	}
	return names
}

func pairsOf(n ast.Node) []*ast.MappingValueNode {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}
	}
	return nil
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func isNull(n ast.Node) bool {
	s, ok := scalarOf(n)
	return ok && s.kind == nullKind
}

func keyText(key ast.MapKeyNode) string {
	s, _ := scalarOf(key)
	return s.text
}

func nodePosition(n ast.Node) position {
	if pairs := pairsOf(n); len(pairs) > 0 {
		if m, ok := n.(*ast.MappingNode); !ok || !m.IsFlowStyle {
			return nodePosition(pairs[0].Key)
		}
	}
	if n == nil {
		return position{1, 1}
	}
	return positionOf(n.GetToken())
}

func describe(n ast.Node) string {
	if s, ok := scalarOf(n); ok {
		return s.kind.String()
	}
	if isMapping(n) {
		return "a mapping of keys"
	}
	return "a list"
}

// settable reports whether a pointer is of a type that setScalar knows.
func settable(dst any) bool {
	switch dst.(type) {
	case scalarUnmarshaler, *string, **string, *int, *bool, *time.Duration, *time.Time, **time.Location, *netip.Prefix:
		return true
	}
	return false
}
