package strict

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// decoder fills Go values from a YAML tree by their yaml tags. It reports keys that
// are unknown, given twice, or have a value of the wrong type, and continues to
// the end.
type decoder struct {
	Options
	problems *Problems
	known    []string // full names of all keys
}

// decode fills dst, a pointer to a struct, from root.
func decode(root *yaml.Node, dst any, o Options, ps *Problems) {
	v := reflect.ValueOf(dst).Elem()
	d := &decoder{Options: o, problems: ps, known: KeyNames(v.Type())}
	d.value(root, v, placeOf(root), nil)
}

// keyPath is the full name of a value. It is formatted only for a problem.
type keyPath struct {
	parent *keyPath
	key    string
	item   int // number in its list, from 1; 0 for a key
	node   *yaml.Node
}

func (p *keyPath) String() string {
	switch {
	case p == nil:
		return ""
	case p.item > 0:
		return p.parent.String() + "[" + ItemLabel(p.item, slugOf(p.node)) + "]"
	case p.parent == nil:
		return KeyLabel(p.key)
	}
	return p.parent.String() + "." + KeyLabel(p.key)
}

var plainKey = regexp.MustCompile(`^[-A-Za-z0-9_.]{1,60}$`)

// KeyLabel returns a key for use in a message: an unusual one in quotes, so that it
// cannot break the line.
func KeyLabel(key string) string {
	if plainKey.MatchString(key) {
		return key
	}
	return Quote(key)
}

// ItemLabel returns the name of a list item for use in a message: its slug, or its
// number in the list, from 1, if it has none.
func ItemLabel(item int, slug string) string {
	if slug != "" {
		return KeyLabel(slug)
	}
	return fmt.Sprintf("#%d", item)
}

// Quote returns a value of the file in quotes for use in a message, cut to 60
// characters.
func Quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}

func slugOf(n *yaml.Node) string {
	if !isMapping(n) {
		return ""
	}
	for key, value := range pairs(n) {
		if s, ok := scalarOf(value); ok && key.Value == "slug" && s.Kind != NullKind {
			return s.Text
		}
	}
	return ""
}

// Placed is a value that needs its position in the file and its number in the
// list, from 1; 0 if it is not in a list.
type Placed interface{ SetPlace(at Position, item int) }

func (d *decoder) value(n *yaml.Node, v reflect.Value, at Position, path *keyPath) {
	dst := v.Addr().Interface()
	if d.Positions != nil {
		d.Positions[dst] = at
	}
	if p, ok := dst.(Placed); ok && path != nil {
		p.SetPlace(at, path.item)
	}
	s, isScalar := scalarOf(n)
	s.At = at
	switch {
	case settable(dst):
		if !isScalar {
			d.problems.Add(at, path.String(), "needs %s, not %s", Wanted(dst), describe(n))
		} else if err := SetScalar(dst, s); err != nil {
			d.problems.Add(at, path.String(), "%s", cmp.Or(d.instead(dst, s), err.Error()))
		}
	case isScalar && s.Kind == NullKind && path != nil:
		// An empty section or list, such as one with every line commented out.
	case isScalar && d.instead(dst, s) != "":
		d.problems.Add(at, path.String(), "%s", d.instead(dst, s))
	case v.Kind() == reflect.Struct:
		d.mapping(n, v, at, path)
	case v.Kind() == reflect.Map:
		d.entries(n, v, at, path)
	case v.Kind() == reflect.Slice:
		d.sequence(n, v, at, path)
	default:
		panic("cannot decode into " + v.Type().String())
	}
}

// instead returns what the caller says to write instead of a scalar; "" for nothing.
func (d *decoder) instead(dst any, s Scalar) string {
	if d.Instead == nil {
		return ""
	}
	return d.Instead(dst, s)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, at Position, path *keyPath) {
	fields := fieldsOf(v.Type())
	if !isMapping(n) {
		d.problems.Add(at, path.String(), "needs the keys %s below it, not %s", strings.Join(fields.keys, ", "), describe(n))
		return
	}
	d.eachKey(n, path, func(key, value *yaml.Node, child *keyPath) {
		field, known := fields.lookup(v, key.Value)
		if !known {
			d.problems.Add(placeOf(key), child.String(), "%s", d.unknownKey(key.Value, fields.keys))
			return
		}
		d.value(value, field, placeOfValue(key, value), child)
	})
}

// entries fills a map, whose keys are whatever the file says.
func (d *decoder) entries(n *yaml.Node, v reflect.Value, at Position, path *keyPath) {
	if !isMapping(n) {
		d.problems.Add(at, path.String(), "needs names with a value each, written like name: value, not %s", describe(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	d.eachKey(n, path, func(key, value *yaml.Node, child *keyPath) {
		at, entry := placeOfValue(key, value), reflect.New(v.Type().Elem()).Elem()
		if d.Positions != nil {
			d.Positions[Entry{Map: v.Addr().Interface(), Key: key.Value}] = at
			d.Positions[Entry{Map: v.Addr().Interface(), Key: key.Value, OfKey: true}] = placeOf(key)
		}
		d.value(value, entry, at, child)
		v.SetMapIndex(reflect.ValueOf(key.Value), entry)
	})
}

// eachKey calls use with each key of a mapping, its value and its path, and reports a key
// that is given twice.
func (d *decoder) eachKey(n *yaml.Node, path *keyPath, use func(key, value *yaml.Node, child *keyPath)) {
	lines := make(map[string]int, len(n.Content)/2) // of the first occurrence of each key
	for key, value := range pairs(n) {
		child := &keyPath{parent: path, key: key.Value}
		if line, twice := lines[key.Value]; twice {
			d.problems.Add(placeOf(key), child.String(), "is already given on line %d; keep one of the two", line)
			continue
		}
		lines[key.Value] = key.Line
		use(key, value, child)
	}
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, at Position, path *keyPath) {
	if n.Kind != yaml.SequenceNode {
		d.problems.Add(at, path.String(), "needs a list, each entry on a line that starts with \"- \", not %s", describe(n))
		return
	}
	// At full length from the start: pointers to the items are recorded.
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), placeOf(item), &keyPath{parent: path, item: i + 1, node: item})
	}
}

// pairs yields the keys of a mapping and their values.
func pairs(n *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for pair := range slices.Chunk(n.Content, 2) {
			if !yield(pair[0], pair[1]) {
				return
			}
		}
	}
}

func isMapping(n *yaml.Node) bool { return n.Kind == yaml.MappingNode }

// isEmpty reports whether the value is missing, as after a bare "key:".
func isEmpty(n *yaml.Node) bool {
	s, ok := scalarOf(n)
	return ok && s.Kind == NullKind && s.Text == ""
}

func placeOf(n *yaml.Node) Position { return Position{n.Line, n.Column} }

// placeOfValue is where a value is told to be: at its key if it is a mapping or missing.
func placeOfValue(key, value *yaml.Node) Position {
	if isMapping(value) || isEmpty(value) {
		return placeOf(key)
	}
	return placeOf(value)
}

func describe(n *yaml.Node) string {
	if s, ok := scalarOf(n); ok {
		return s.Kind.String()
	}
	if isMapping(n) {
		return "a mapping of keys"
	}
	return "a list"
}

// settable reports whether dst is of a type that SetScalar supports.
func settable(dst any) bool {
	switch dst.(type) {
	case ScalarUnmarshaler, *string, **string, *int, *bool, *time.Duration, *time.Time, **time.Location, *netip.Prefix:
		return true
	}
	return false
}
