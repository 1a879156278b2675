package search

import (
	"context"
	"math/bits"
	"strconv"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
)

// Many documents match a common word, and only the 20 most popular ones are needed:
// sorting the others would be wasted. So each document has a term for every power of
// 4 that its popularity reaches, and a common word is first looked up among the most
// popular hundredth of the documents: what matches there ranks before the rest.

const bitsPerTerm = 2 // of the popularity

// popularities returns the terms of a popularity.
func popularities(popularity int) (terms []string) {
	for n := range (bits.Len(uint(popularity)) + bitsPerTerm - 1) / bitsPerTerm {
		terms = append(terms, strconv.Itoa(n))
	}
	return terms
}

// mostPopular returns the query for the most popular hundredth of the documents,
// or somewhat more.
func mostPopular(ctx context.Context, index bleve.Index) (query.Query, error) {
	inner, err := index.Advanced()
	if err != nil {
		return nil, err
	}
	reader, err := inner.Reader()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	total, err := reader.DocCount()
	if err != nil {
		return nil, err
	}
	for n := 32/bitsPerTerm - 1; ; n-- {
		name := strconv.Itoa(n)
		postings, err := reader.TermFieldReader(ctx, []byte(name), "popular", false, false, false)
		if err != nil {
			return nil, err
		}
		count := postings.Count()
		if err := postings.Close(); err != nil {
			return nil, err
		}
		if count >= total/100 || n == 0 {
			return term("popular", name), nil
		}
	}
}
