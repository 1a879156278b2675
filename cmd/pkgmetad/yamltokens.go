package main

import (
	"github.com/goccy/go-yaml/token"
)

// The parser recurses for each level of nesting and for each key of a block
// mapping, and moves all later tokens for each value left empty. These bounds,
// far above any real file, keep its stack and its time in hand.
//
// What a file costs in memory goes by its tokens: a catalogue of ordinary
// entries has about 1,100,000 in its 8 MiB, one of tiny entries many more.
const (
	maxTokens      = 1_200_000
	maxNesting     = 32
	maxMappingKeys = 1000
	maxEmptyValues = 20_000
)

const secondDocument = "a second document starts here; keep one document in the file"

var refused = map[token.Type]string{
	token.AnchorType:     "anchors (&) are not supported; write the value out, or put quotes around text that starts with &",
	token.AliasType:      "aliases (*) are not supported; write the value out, or put quotes around text that starts with *",
	token.MergeKeyType:   "merge keys (<<) are not supported; write the keys out",
	token.TagType:        "tags (!) are not supported; leave the tag out, or put quotes around text that starts with !",
	token.DirectiveType:  "directives (%) are not supported; leave the line out",
	token.MappingKeyType: "keys that start with ? are not supported; write key: value",
}

// openLevel is a collection that is open at a point in the token stream.
type openLevel struct {
	flow   token.Type // the opening bracket; 0 for a block collection
	column int        // of a block collection's keys or dashes
	keys   int
}

// tokenCheck walks the tokens before the parser sees them.
type tokenCheck struct {
	tokens []*token.Token
	levels []openLevel
	empty  int
	ps     *problems
}

// checkTokens reports what these files may not contain.
func checkTokens(all token.Tokens, ps *problems) {
	if len(all) > maxTokens {
		ps.add(positionOf(all[maxTokens]), "", "more than %d YAML tokens; write a catalogue of this size as NDJSON, one object a line", maxTokens)
		return
	}
	c := tokenCheck{ps: ps, tokens: make([]*token.Token, 0, len(all))}
	for _, t := range all {
		if t.Type != token.CommentType {
			c.tokens = append(c.tokens, t)
		}
	}
	lastRefused := 0 // line; an unquoted */5 * * * * is one mistake, not five
	for i, t := range c.tokens {
		if message, ok := refused[t.Type]; ok {
			if at := positionOf(t); at.line != lastRefused {
				ps.add(at, "", "%s", message)
				lastRefused = at.line
			}
			if t.Type == token.DirectiveType {
				return
			}
			continue
		}
		if t.Type == token.DocumentHeaderType && i > 0 {
			ps.add(positionOf(t), "", secondDocument)
			return
		}
		if !c.bounded(i) {
			return
		}
	}
}

// bounded reports whether all bounds still hold after token i.
func (c *tokenCheck) bounded(i int) bool {
	t := c.tokens[i]
	at := positionOf(t)
	if !c.inFlow() {
		for len(c.levels) > 0 && c.top().column > at.column {
			c.pop()
		}
	}
	switch t.Type {
	case token.MappingStartType, token.SequenceStartType:
		c.levels = append(c.levels, openLevel{flow: t.Type})
	case token.CollectEntryType, token.MappingEndType, token.SequenceEndType:
		c.countFlowEmpty(i)
		if t.Type != token.CollectEntryType && c.inFlow() {
			c.pop()
		}
	case token.SequenceEntryType:
		c.openBlock(at.column)
		c.countBlockEmpty(i, at.column, false)
	case token.MappingValueType:
		key := at
		if i > 0 {
			key = positionOf(c.tokens[i-1])
		}
		c.openBlock(key.column)
		c.countBlockEmpty(i, key.column, true)
		if len(c.levels) > 0 {
			c.top().keys++
		}
	}
	switch {
	case len(c.levels) > maxNesting:
		c.ps.add(at, "", "is nested more than %d levels deep; these files need four", maxNesting)
	case len(c.levels) > 0 && c.top().keys > maxMappingKeys:
		c.ps.add(at, "", "a mapping of more than %d keys; start each entry of a list with \"- \"", maxMappingKeys)
	case c.empty > maxEmptyValues:
		c.ps.add(at, "", "more than %d values are left empty; write null, or leave the keys out", maxEmptyValues)
	default:
		return true
	}
	return false
}

func (c *tokenCheck) top() *openLevel { return &c.levels[len(c.levels)-1] }
func (c *tokenCheck) pop()            { c.levels = c.levels[:len(c.levels)-1] }
func (c *tokenCheck) inFlow() bool    { return len(c.levels) > 0 && c.top().flow != 0 }

func (c *tokenCheck) openBlock(column int) {
	if !c.inFlow() && (len(c.levels) == 0 || c.top().column < column) {
		c.levels = append(c.levels, openLevel{column: column})
	}
}

// countBlockEmpty counts "key:" and "-" with nothing behind or below them.
func (c *tokenCheck) countBlockEmpty(i, column int, isKey bool) {
	if c.inFlow() {
		return
	}
	if i+1 == len(c.tokens) {
		c.empty++
		return
	}
	this, next := positionOf(c.tokens[i]), positionOf(c.tokens[i+1])
	listBelow := isKey && next.column == column && c.tokens[i+1].Type == token.SequenceEntryType
	if next.line > this.line && next.column <= column && !listBelow {
		c.empty++
	}
}

// countFlowEmpty counts "{key:}" and "{key}" at the bracket or comma i.
func (c *tokenCheck) countFlowEmpty(i int) {
	if i < 2 || !c.inFlow() {
		return
	}
	switch c.tokens[i-2].Type {
	case token.CollectEntryType, token.MappingStartType:
		if c.top().flow == token.MappingStartType {
			c.empty++
		}
	default:
		if c.tokens[i-1].Type == token.MappingValueType {
			c.empty++
		}
	}
}
