package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// One writer, one syncer and readers, all at once: no reader sees a record of
// which the halves do not belong together, a page that is none, or a sequence
// that goes back.
func TestConcurrently(t *testing.T) {
	s := open(t, dbPath(t), store.Options{})
	whole := entries("a", "b", "c", "d", "e", "f", "g", "h")
	for i := range whole.Packages {
		whole.Packages[i].Grids = []int{1}
	}
	half := record.Catalogue{Packages: whole.Packages[:4]}
	sync(t, s, whole, t0)

	done := make(chan struct{})
	var writers, readers errgroup.Group
	const rounds = 60
	writers.Go(func() error {
		for n := range rounds {
			recs, _, err := s.Packages(0, 100)
			if err != nil {
				return err
			}
			for i := range recs {
				recs[i] = fetched(recs[i], n+1, t0.Add(time.Duration(n)*time.Hour), day(3))
			}
			if err := s.Put(sourcesOf(recs...)); err != nil {
				return err
			}
		}
		return nil
	})
	writers.Go(func() error {
		for n := range rounds {
			c := []record.Catalogue{half, whole}[n%2]
			report, err := s.SyncCatalogue(c, day(n))
			if err != nil {
				return err
			}
			if n > 0 && report.Removed+report.Restored != 4 {
				return errors.New("a sync did not see what the one before it did")
			}
		}
		return nil
	})
	for range 8 {
		readers.Go(func() error {
			var sequence uint64
			for {
				select {
				case <-done:
					return nil
				default:
				}
				if now := s.Sequence(); now < sequence {
					return errors.New("the sequence went back")
				} else {
					sequence = now
				}
				recs, total, err := s.Packages(0, 100)
				if err != nil {
					return err
				}
				if len(recs) != total || total != 4 && total != 8 {
					return errors.New("a page does not agree with its total")
				}
				titled := 0
				if err := s.ServedByTitle(0, 0, 100, func(n int) { titled, total = 0, n }, func(store.Served) { titled++ }); err != nil {
					return err
				}
				if titled != total || total != 4 && total != 8 {
					return errors.New("a page by title does not agree with its total")
				}
				if !slices.IsSortedFunc(recs, func(a, b record.Package) int { return b.ID - a.ID }) {
					return errors.New("a page is out of order")
				}
				for _, rec := range recs {
					if rec.Repo.Stars > 0 && (rec.Repo.Name != "o/"+rec.Slug || rec.Project.Name != rec.Slug || !rec.GitHub.LastSuccess.Equal(rec.PyPI.LastSuccess)) {
						return errors.New("a record is mixed of two")
					}
				}
				if _, _, err := s.Due(day(9), 3, record.Order{}); err != nil {
					return err
				}
				if ids, err := s.GridPackages(1); err != nil || len(ids) != 4 && len(ids) != 8 {
					return errors.Join(errors.New("a grid is neither whole nor half"), err)
				}
				if _, err := s.PackageBySlug("h"); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				if err := s.Ready(); err != nil {
					return err
				}
			}
		})
	}
	err := writers.Wait()
	close(done)
	must(t, errors.Join(err, readers.Wait()))
	must(t, s.Ready())
	sequence := s.Sequence()
	s = reopen(t, s)
	if got := s.Sequence(); got != sequence {
		t.Errorf("sequence %d in memory, %d in the file", sequence, got)
	}
	checkFile(t, s)
}
