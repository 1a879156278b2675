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

// Most packages come out of a refresh as they went in, but for times, of which
// nothing is indexed. So each document of a package has a term of its own, the
// digest of all else in it. Looking that up takes a small part of the time that
// indexing it again does.

// digest returns the digest of a document, of which order tells the id.
func (d document) digest() string {
	sum := sha256.New()
	for _, property := range slices.Sorted(maps.Keys(d.texts)) {
		fmt.Fprintf(sum, "%s %q\n", property, d.texts[property])
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// unlikeIndexed returns those documents that are not in the index as they are.
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
