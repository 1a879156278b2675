package search

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
)

const (
	maxRunes = 200 // of a query; the rest is ignored
	maxWords = 10  // of a query; the rest is ignored
	minTypo  = 4   // letters of the shortest word that may have a typo
)

// A word is one word of a query.
type word struct {
	text string
	stem string // "" for a stop word
}

// words splits a text into words as the index does.
func (x *Index) words(text string) []word {
	var words []word
	for _, token := range x.analyse("text", text) {
		w := word{text: token}
		if stems := x.analyse("text"+stem, token); len(stems) > 0 {
			w.stem = stems[0]
		}
		words = append(words, w)
	}
	return words
}

func (x *Index) analyse(analyzer, text string) []string {
	tokens, err := x.mapping.AnalyzeText(analyzer, []byte(text))
	if err != nil {
		return nil // never: newMapping defines the analyzers
	}
	terms := make([]string, len(tokens))
	for i, t := range tokens {
		terms[i] = string(t.Term)
	}
	return terms
}

// normalise returns the normal form of a title, slug or query: its words with one
// space between them. The normal form of a text without words is the text itself, in
// lower case.
func (x *Index) normalise(text string) string {
	if words := x.analyse("text", text); len(words) > 0 {
		return strings.Join(words, " ")
	}
	return strings.ToLower(strings.TrimSpace(text))
}

// A parsedQuery is the text of a query, taken apart.
type parsedQuery struct {
	normal string // see normalise
	// readings are the ways to read the query, of which one has to match: as its
	// words, and as all of them written as one.
	readings [][]word
}

// parse splits a query into words; there is no other syntax. Stop words are ignored
// if there are other words.
func (x *Index) parse(q string) parsedQuery {
	n := 0
	for i := range q {
		if n++; n > maxRunes {
			q = q[:i]
			break
		}
	}
	q = strings.ToValidUTF8(q, " ")
	r := parsedQuery{normal: x.normalise(q)}
	words := x.words(q)
	if slices.ContainsFunc(words, func(w word) bool { return w.stem != "" }) {
		words = slices.DeleteFunc(words, func(w word) bool { return w.stem == "" })
	}
	words = words[:min(len(words), maxWords)]
	if len(words) == 0 {
		return r
	}
	r.readings = append(r.readings, words)
	if len(words) > 1 {
		one := ""
		for _, w := range words {
			one += w.text
		}
		r.readings = append(r.readings, x.words(one))
	}
	return r
}

// A step is a list of levels of matching. Each level is a query that finds what the
// level before it finds, and also what matches in the next worse way: a document's
// rank is the first level that finds it.
type step []query.Query

// steps returns the levels for a query, strictest first, in three steps: the query is
// a title or slug; its words match; its words match with typos.
func (r parsedQuery) steps() []step {
	if r.normal == "" {
		return nil
	}
	whole := term("whole", r.normal)
	steps := []step{{whole}}
	if len(r.readings) == 0 {
		return steps
	}
	ways := make([][][][]query.Query, len(r.readings)) // by reading, word and level
	for i, words := range r.readings {
		for _, w := range words {
			ways[i] = append(ways[i], w.ways())
		}
	}
	var s step
	for level := range levels {
		either := []query.Query{whole}
		for _, words := range ways {
			all := make([]query.Query, len(words))
			for i, w := range words {
				all[i] = anyOf(slices.Concat(w[:level+1]...))
			}
			either = append(either, allOf(all))
		}
		if s = append(s, anyOf(either)); level+1 == firstTypo || level+1 == levels {
			steps, s = append(steps, s), nil
		}
	}
	return steps
}

const (
	firstTypo = 3 * len(fields) // the first level with typos
	levels    = firstTypo + len(fields)
)

// ways returns the queries for a word by level: in each field, in order of rank, the
// word itself, its stem, its beginning; then in each field the word with a typo.
func (w word) ways() [][]query.Query {
	ways := make([][]query.Query, levels)
	letters := utf8.RuneCountInString(w.text)
	for i, field := range fields {
		itself, itsStem, beginning, typo := &ways[3*i], &ways[3*i+1], &ways[3*i+2], &ways[firstTypo+i]
		*itself = append(*itself, term(field, w.text))
		if isName(field) {
			*itself = append(*itself, term(field+joined, w.text))
		}
		if w.stem != "" {
			*itsStem = append(*itsStem, term(field+stem, w.stem))
		}
		if letters <= longestStart {
			*beginning = append(*beginning, term(field+start, w.text))
		} else {
			prefix := bleve.NewPrefixQuery(w.text)
			prefix.SetField(field)
			*beginning = append(*beginning, prefix)
		}
		if letters >= minTypo {
			fuzzy := bleve.NewFuzzyQuery(w.text)
			fuzzy.SetField(field)
			fuzzy.SetFuzziness(1) // a letter too many, too few or wrong, or two swapped
			*typo = append(*typo, fuzzy)
		}
	}
	return ways
}

func term(field, text string) query.Query {
	t := bleve.NewTermQuery(text)
	t.SetField(field)
	return t
}

func anyOf(queries []query.Query) query.Query {
	if len(queries) == 1 {
		return queries[0]
	}
	return bleve.NewDisjunctionQuery(queries...)
}

func allOf(queries []query.Query) query.Query {
	if len(queries) == 1 {
		return queries[0]
	}
	return bleve.NewConjunctionQuery(queries...)
}
