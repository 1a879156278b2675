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

// A refresh leaves most packages as they were, except for times, which are not
// indexed. So each document of a package has a term of its own, the digest of
// everything else in it. Looking that up takes a small part of the time that
// indexing the document again does.

// digest returns the digest of a document. Its property "order" holds the id.
func (d document) digest() string {
	sum := sha256.New()
	for _, property := range slices.Sorted(maps.Keys(d.texts)) {
		fmt.Fprintf(sum, "%s %q\n", property, d.texts[property])
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// unlikeIndexed returns the documents that differ from what the index holds.
func (x *Index) unlikeIndexed(ctx context.Context, documents []document) (unlike []document, err error) {
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
			having, err := reader.TermFieldReader(ctx, []byte(d.texts["digest"].(string)), "digest", false, false, false)
			if err != nil {
				return err
			}
			if having.Count() == 0 {
				unlike = append(unlike, d)
			}
			if err := having.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	return unlike, err
}
