package search

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/blevesearch/bleve/v2"
)

// A refresh changes nothing about most packages but times, which are not indexed.
// So each document of a package has a term with the digest of everything else in
// it, and is indexed again only if there is no such term: looking it up takes a small
// part of the time that indexing does.

// digest returns the digest of a document. It covers the id, which is in the
// property "order".
func (d document) digest() string {
	sum := sha256.New()
	for _, property := range slices.Sorted(maps.Keys(d.texts)) {
		fmt.Fprintf(sum, "%s %q\n", property, d.texts[property])
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// changedDocuments returns the documents that differ from what the index holds.
func (x *Index) changedDocuments(ctx context.Context, documents []document) (changed []document, err error) {
	if len(documents) == 0 {
		return nil, nil
	}
	err = x.use(func(index bleve.Index) error {
		inner, err := index.Advanced()
		if err != nil {
			return err
		}
		reader, err := inner.Reader()
		if err != nil {
			return err
		}
		defer reader.Close()
		for _, d := range documents {
			postings, err := reader.TermFieldReader(ctx, []byte(d.texts["digest"].(string)), "digest", false, false, false)
			if err != nil {
				return err
			}
			if postings.Count() == 0 {
				changed = append(changed, d)
			}
			if err := postings.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	return changed, err
}
