package search

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"pkgmetad/internal/record"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/keyword"
	"github.com/blevesearch/bleve/v2/analysis/char/asciifolding"
	"github.com/blevesearch/bleve/v2/analysis/char/regexp"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/token/edgengram"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/token/porter"
	"github.com/blevesearch/bleve/v2/analysis/token/shingle"
	unicodewords "github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	"github.com/blevesearch/bleve/v2/mapping"
)

// version is the version of an index's content. Increment it with every change of
// the mapping or of a document: an index of another version is rebuilt.
const version = "2"

// Each text is indexed in several ways, each in a field of its own:
//
//	title          its words, in lower case and without accents
//	title.stem     their English stems, without stop words
//	title.start    their first 1, 2 and 3 letters
//	title.joined   two or three adjacent words as one (only title and slug)
//
// and likewise slug, description and other, which is the category's title and the
// participants. Longer beginnings are looked up among the words themselves, because
// few words share one. The other fields are whole, the normal form of title and slug;
// kind, "p" or "g"; popular, see popular.go; order, which sorts documents of the same
// rank; and digest, see digest.go.
const (
	stem   = ".stem"
	start  = ".start"
	joined = ".joined"

	longestStart = 3 // letters of the longest beginning that is indexed
)

// fields are the fields that are searched, in order of rank.
var fields = [...]string{"title", "slug", "description", "other"}

func isName(field string) bool { return field == "title" || field == "slug" }

// newMapping returns how documents are indexed. Neither texts nor frequencies,
// norms or positions are stored.
func newMapping() (*mapping.IndexMappingImpl, error) {
	m := bleve.NewIndexMapping()
	m.StoreDynamic, m.IndexDynamic, m.DocValuesDynamic = false, false, false
	m.DefaultAnalyzer = keyword.Name
	words := []string{en.PossessiveName, lowercase.Name}
	add := []error{
		// Everything but letters, digits, marks and apostrophes separates words.
		m.AddCustomCharFilter("parts", map[string]any{"type": regexp.Name, "regexp": `[^\p{L}\p{N}\p{M}'’]+`, "replace": " "}),
		m.AddCustomTokenFilter("start", map[string]any{"type": edgengram.Name, "min": 1.0, "max": float64(longestStart)}),
		m.AddCustomTokenFilter("joined", map[string]any{"type": shingle.Name, "min": 2.0, "max": 3.0, "output_original": false, "separator": "", "filler": ""}),
	}
	for name, filters := range map[string][]string{
		"":     words,
		stem:   append(words[:2:2], en.StopName, porter.Name),
		start:  append(words[:2:2], "start"),
		joined: append(words[:2:2], "joined"),
	} {
		add = append(add, m.AddCustomAnalyzer("text"+name, map[string]any{
			"type":          custom.Name,
			"char_filters":  []string{asciifolding.Name, "parts"},
			"tokenizer":     unicodewords.Name,
			"token_filters": filters,
		}))
	}
	for _, err := range add {
		if err != nil {
			return nil, fmt.Errorf("the mapping of the search index: %w", err)
		}
	}

	doc := bleve.NewDocumentStaticMapping()
	doc.AddSubDocumentMapping("_all", bleve.NewDocumentDisabledMapping()) // bleve's field for all others takes time even if it is empty
	for _, p := range []struct {
		property, field string
		ways            []string
	}{
		{"title", "title", []string{"", stem, start, joined}},
		{"slug", "slug", []string{"", stem, start, joined}},
		{"description", "description", []string{"", stem, start}},
		{"category", "other", []string{"", stem, start}},
		{"participants", "other", []string{"", start}}, // logins are not English
	} {
		for _, way := range p.ways {
			doc.AddFieldMappingsAt(p.property, textField(p.field+way, "text"+way))
		}
	}
	doc.AddFieldMappingsAt("whole", textField("whole", keyword.Name))
	doc.AddFieldMappingsAt("popular", textField("popular", keyword.Name))
	doc.AddFieldMappingsAt("kind", textField("kind", keyword.Name))
	doc.AddFieldMappingsAt("digest", textField("digest", keyword.Name))
	order := textField("order", keyword.Name)
	order.DocValues = true
	doc.AddFieldMappingsAt("order", order)
	m.DefaultMapping = doc
	return m, m.Validate()
}

func textField(name, analyzer string) *mapping.FieldMapping {
	f := bleve.NewTextFieldMapping()
	f.Name, f.Analyzer = name, analyzer
	f.Store, f.IncludeTermVectors, f.IncludeInAll, f.DocValues = false, false, false, false
	f.SkipFreqNorm = true
	return f
}

// A document is what the index gets to know of a package or grid.
type document struct {
	id    string
	texts map[string]any // by property
}

func (x *Index) packageDocument(p *record.Package, category string) document {
	d := x.document(docID(false, p.ID), p.Repo.Stars, p.Title, p.Slug, p.Repo.Description)
	d.texts["category"], d.texts["participants"] = category, p.Repo.Participants
	d.texts["digest"] = d.digest()
	return d
}

func (x *Index) gridDocument(g *record.Grid) document {
	return x.document(docID(true, g.ID), 0, g.Title, g.Slug, g.Description)
}

func (x *Index) document(id string, popularity int, title, slug, description string) document {
	popularity = min(max(0, popularity), math.MaxUint32)
	return document{id, map[string]any{
		"title":       inParts(title),
		"slug":        inParts(slug),
		"description": description,
		"whole":       []string{x.normalise(title), x.normalise(slug)},
		"popular":     popularities(popularity),
		"kind":        id[:1],
		"order":       order(popularity, id),
	}}
}

// order returns the key that sorts documents of the same rank: by popularity,
// highest first, then by id. It is text because bleve would index a number as several
// terms.
func order(popularity int, id string) string {
	return fmt.Sprintf("%08x%s%s", math.MaxUint32-popularity, id[1:], id[:1])
}

// docID returns the id of a document, which sorts as the ids of the records do.
func docID(grid bool, id int) string {
	kind := 'p'
	if grid {
		kind = 'g'
	}
	return fmt.Sprintf("%c%016x", kind, id)
}

func parseDocID(s string) (Hit, error) {
	if len(s) != 17 {
		return Hit{}, fmt.Errorf("%q is not the id of a document of this index", s)
	}
	id, err := strconv.ParseInt(s[1:], 16, 64)
	return Hit{Grid: s[0] == 'g', ID: int(id)}, err
}

// inParts returns a name and, where it differs, the name split where letters meet
// digits and where a capital follows a small letter: "OAuth2", "OAuth 2".
func inParts(name string) []string {
	var b strings.Builder
	var last rune
	for _, r := range name {
		if unicode.IsLetter(last) && unicode.IsDigit(r) || unicode.IsDigit(last) && unicode.IsLetter(r) || unicode.IsLower(last) && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	if b.Len() == len(name) {
		return []string{name}
	}
	return []string{name, b.String()}
}
