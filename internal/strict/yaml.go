package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxNesting bounds the levels of nesting in a YAML file, since the parser recurses
// for each. Real files have four.
const maxNesting = 32

// maxMarks bounds the line ends, commas and opening brackets in a YAML file. Every
// value needs one of them, and takes some 300 bytes of memory while the file is
// read. The largest catalogue of ordinary entries has half as many.
const maxMarks = 600_000

// Options describe one kind of file.
type Options struct {
	// WhenEmpty is the message for an empty file. It says what to write.
	WhenEmpty string
	// KeyAdvice, if not nil, returns the message for a key that does not exist and
	// resembles no existing key; "" for the default message.
	KeyAdvice func(key string) string
	// Instead, if not nil, returns the message for a scalar that dst, a pointer to the
	// value, does not take; "" for the default message.
	Instead func(dst any, s Scalar) string
	// Positions, if not nil, receives the position of each value, by the pointer to
	// the value, or by its [Entry] if it is in a map.
	Positions map[any]Position
}

// Entry stands in [Options.Positions] for a value in a map, to which there is no pointer.
type Entry struct {
	Map   any // the pointer to the map
	Key   string
	OfKey bool // the position is that of the key
}

// DecodeYAML fills dst, a pointer to a struct with yaml tags, from the one
// document in data, and adds the mistakes to ps. It reports whether the file is a
// mapping whose keys could be read, whatever else is wrong with it: then dst holds
// all values that are valid, and its other fields are unchanged.
func DecodeYAML(data []byte, dst any, o Options, ps *Problems) (ok bool) {
	defer func() {
		// The parser panics in states that it considers impossible. A file must not
		// crash the program.
		if r := recover(); r != nil {
			ok = false
			ps.Add(Position{1, 1}, "", "the YAML parser gave up on this file; simplify it, indent with spaces, quote text with special characters")
		}
	}()
	root := parse(data, o.WhenEmpty, ps)
	if root == nil {
		return false
	}
	decode(root, dst, o, ps)
	return isMapping(root)
}

// parse returns the root of the one document in data. If there is a problem, it adds
// it and returns nil.
func parse(data []byte, whenEmpty string, ps *Problems) *yaml.Node {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !checkUTF8(data, ps) {
		return nil
	}
	if line := directiveLine(data); line > 0 {
		ps.Add(Position{line, 1}, "", "%s", noDirectives)
		return nil
	}
	if i := tooManyMarks(data); i >= 0 {
		ps.Add(positionAt(data, i), "", "more than %d lines, commas and brackets; write a catalogue of this size as NDJSON, one object a line", maxMarks)
		return nil
	}
	var second *secondDocument
	root, err := compose(data)
	if hasPairs(err) {
		data = joinPairs(data)
		root, err = compose(data)
	}
	switch {
	case errors.Is(err, io.EOF):
		ps.Add(Position{1, 1}, "", "%s", whenEmpty)
		return nil
	case errors.As(err, &second):
		ps.Add(second.at, "", "a second document starts here; keep one document in the file")
		return nil
	case err != nil:
		addParseError(err, data, ps)
		return nil
	}
	if isEmpty(root) || isMapping(root) && len(root.Content) == 0 {
		ps.Add(Position{1, 1}, "", "%s", whenEmpty)
		return nil
	}
	u := unsupported{ps: ps}
	if u.check(root); u.found {
		return nil
	}
	return root
}

// tooManyMarks returns where data has more marks than maxMarks, or -1.
func tooManyMarks(data []byte) int {
	marks := 0
	for i, c := range data {
		switch c {
		case '\n', ',', '[', '{':
			if marks++; marks > maxMarks {
				return i
			}
		}
	}
	return -1
}

// compose returns the root of the one document in data. The error is io.EOF if
// there is none.
func compose(data []byte) (*yaml.Node, error) {
	loader, err := yaml.NewLoader(bytes.NewReader(data), yaml.WithPlugin(limits{}))
	if err != nil {
		return nil, err
	}
	var document, second yaml.Node
	if err := loader.Load(&document); err != nil {
		return nil, err
	}
	switch err := loader.Load(&second); {
	case err == nil:
		return nil, &secondDocument{placeOf(&second)}
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return document.Content[0], nil
}

// secondDocument is the error of a file with more than one document.
type secondDocument struct{ at Position }

func (*secondDocument) Error() string { return "a second document" }

// invalidEscape is the parser's message for half a surrogate pair.
const invalidEscape = "found invalid Unicode character escape code"

// hasPairs reports whether the parser stopped at what may be a surrogate pair.
func hasPairs(err error) bool {
	var le *yaml.LoadError
	return errors.As(err, &le) && le.Message == invalidEscape
}

// escape matches a surrogate pair, which is how JSON escapes a character beyond
// the first 65,536, or any other escape, so that the second of two backslashes
// begins none. YAML has an escape of its own for these characters.
var escape = regexp.MustCompile(`(?s)\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|.)`)

// joinPairs replaces JSON's surrogate pairs by YAML's escape of the same character.
// That is two bytes shorter, so the columns reported for the rest of such a line are
// too low by two.
func joinPairs(data []byte) []byte {
	return escape.ReplaceAllFunc(data, func(match []byte) []byte {
		if len(match) != len(`\ud83d\ude00`) {
			return match
		}
		high, _ := strconv.ParseUint(string(match[2:6]), 16, 16) // the pattern matches hexadecimal digits only
		low, _ := strconv.ParseUint(string(match[8:12]), 16, 16)
		return fmt.Appendf(nil, `\U%08x`, utf16.DecodeRune(rune(high), rune(low)))
	})
}

// limits bounds the nesting, and accepts every alias, since unsupported reports it.
type limits struct{}

var errTooDeep = fmt.Errorf("is nested more than %d levels deep; these files need four", maxNesting)

func (limits) CheckDepth(depth int, _ *yaml.DepthContext) error {
	if depth > maxNesting {
		return errTooDeep
	}
	return nil
}

func (limits) CheckAlias(int, int) error { return nil }

func (l limits) NewAliasDataContext(yaml.AliasDataServices) (yaml.AliasDataContext, error) {
	return l, nil
}

func (limits) BeginDocument() error                  { return nil }
func (limits) EndDocument() error                    { return nil }
func (limits) DefineAnchor(string, *yaml.Node) error { return nil }

func (limits) ResolveAlias(string) (node *yaml.Node, found bool, err error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, true, nil
}

const (
	noAnchors     = "anchors (&) are not supported; write the value out, or put quotes around text that starts with &"
	noAliases     = "aliases (*) are not supported; write the value out, or put quotes around text that starts with *"
	noMergeKeys   = "merge keys (<<) are not supported; write the keys out"
	noTags        = "tags (!) are not supported; leave the tag out, or put quotes around text that starts with !"
	noDirectives  = "directives (%) are not supported; leave the line out"
	noComplexKeys = "keys that start with ? are not supported; write key: value"
)

// unsupported reports the features of YAML that these files do not need, at most
// one on a line.
type unsupported struct {
	ps       *Problems
	found    bool
	lastLine int
}

func (u *unsupported) add(at Position, message string) {
	if u.found = true; at.Line != u.lastLine {
		u.ps.Add(at, "", "%s", message)
		u.lastLine = at.Line
	}
}

func (u *unsupported) check(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		u.add(placeOf(n), noAliases)
	case n.Anchor != "":
		u.add(placeOf(n), noAnchors)
	case n.Style&yaml.TaggedStyle != 0:
		u.add(placeOf(n), noTags)
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			u.checkKey(n, child)
		}
		u.check(child)
	}
}

// checkKey checks the form of one key. In a block mapping all keys start in the
// mapping's own column, unless a ? precedes them.
func (u *unsupported) checkKey(mapping, key *yaml.Node) {
	switch {
	case key.Tag == "!!merge":
		u.add(placeOf(key), noMergeKeys)
	case mapping.Style&yaml.FlowStyle == 0 && key.Column != mapping.Column && mapping.Style&yaml.TaggedStyle == 0 && mapping.Anchor == "":
		u.add(Position{key.Line, mapping.Column}, noComplexKeys)
	case key.Kind != yaml.ScalarNode && key.Kind != yaml.AliasNode:
		u.add(placeOf(key), "a mapping or a list cannot be a key; write key: value")
	}
}

// parseErrors maps the parser's messages to plainer ones.
var parseErrors = map[string]string{
	"block sequence entries are not allowed in this context":       "a list entry is not allowed here; start the list on a line of its own",
	"could not find expected ':'":                                  "a colon is missing after this key",
	"did not find expected ',' or ']'":                             "a comma or ] is missing",
	"did not find expected ',' or '}'":                             "a comma or } is missing",
	"did not find expected '-' indicator":                          "a list entry is missing here, or the line is indented too far or not far enough",
	"did not find expected <document start>":                       "something follows the end of the document",
	"did not find expected comment or line break":                  "something follows the value on its line",
	"did not find expected hexadecimal number":                     "an escape in the text lacks its hexadecimal digits",
	"did not find expected key":                                    "a key is missing here, or the line is indented too far or not far enough",
	"did not find expected node content":                           "a value is missing here",
	"found a tab character that violates indentation":              "there is a tab in the indentation",
	"found a tab character where an indentation space is expected": "there is a tab in the indentation",
	invalidEscape: "the text has an escape that stands for no character",
	"found unexpected content after document-end marker": "something follows the end of the document",
	"found unexpected document indicator":                "the text has no closing quote",
	"found unexpected end of stream":                     "the text has no closing quote",
	"found unknown escape character":                     "the text has an escape that YAML does not know",
	"mapping keys are not allowed in this context":       "a key is not allowed here",
	"mapping values are not allowed in this context":     "a colon after a key is not allowed here",
}

// addParseError adds the error that stopped the parser. It never repeats text of the
// file, which may be a secret that somebody put there.
func addParseError(err error, data []byte, ps *Problems) {
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		ps.Add(Position{1, 1}, "", notYAML, "the parser cannot read it")
		return
	}
	at := Position{max(le.Mark.Line, 1), max(le.Mark.Column, 1)}
	line, atEnd := lineOf(data, at.Line)
	message, known := parseErrors[le.Message]
	switch {
	case le.Message == errTooDeep.Error():
		ps.Add(at, "", "%s", le.Message)
		return
	case le.ContextMsg == "while scanning an alias":
		ps.Add(firstOn(line, at, '*'), "", "%s", noAliases)
		return
	case le.ContextMsg == "while scanning an anchor":
		ps.Add(firstOn(line, at, '&'), "", "%s", noAnchors)
		return
	case le.ContextMsg == "while scanning a tag", le.ContextMsg == "while parsing a tag", le.Message == "found undefined tag handle":
		ps.Add(firstOn(line, at, '!'), "", "%s", noTags)
		return
	case le.Stage == yaml.ReaderStage: // its errors have only an offset
		at, message = positionAt(data, le.Mark.Index), "there is a control character here"
	case atEnd && le.ContextMark.Line > 0: // something was never closed: point to where it begins
		at = Position{le.ContextMark.Line, le.ContextMark.Column}
	case le.Message == "found character that cannot start any token":
		message = "no value can start with this character"
		if strings.HasPrefix(after(line, at), "\t") {
			message = "there is a tab in the indentation"
		}
	case !known:
		message = "the parser cannot read it from here on"
	}
	ps.Add(at, "", notYAML, message)
}

const notYAML = "is not YAML: %s; check the indentation (spaces, no tabs) and the quotes there"

// lineOf returns the text of a line, and whether nothing but blank lines is left
// from there to the end of data.
func lineOf(data []byte, number int) (line []byte, atEnd bool) {
	for range number - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	line, _, _ = bytes.Cut(data, []byte("\n"))
	return line, len(bytes.TrimSpace(data)) == 0
}

// after returns the text of a line from a position on.
func after(line []byte, at Position) string {
	if text := []rune(string(line)); at.Column <= len(text) {
		return string(text[at.Column-1:])
	}
	return ""
}

// firstOn returns the position of the first c on the line, or at if there is none:
// the parser stops at the second star of an unquoted */5 * * * *.
func firstOn(line []byte, at Position, c byte) Position {
	if i := bytes.IndexByte(line, c); i >= 0 {
		return Position{at.Line, utf8.RuneCount(line[:i]) + 1}
	}
	return at
}

// positionAt returns the position of the byte at an offset in data.
func positionAt(data []byte, offset int) Position {
	before := data[:min(offset, len(data))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return Position{bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(line) + 1}
}

// directiveLine returns the line of a directive before the document, or 0.
func directiveLine(data []byte) int {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		switch text := bytes.TrimSpace(line); {
		case len(text) == 0 || text[0] == '#':
		case line[0] == '%':
			return number
		default:
			return 0
		}
	}
	return 0
}

func checkUTF8(data []byte, ps *Problems) bool {
	i := invalidUTF8(data)
	if i >= 0 {
		ps.Add(positionAt(data, i), "", notUTF8)
	}
	return i < 0
}

const notUTF8 = "is not UTF-8 from here on; save the file as UTF-8 text"

// invalidUTF8 returns the offset of the first byte of data that is not UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
}
