package store_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// Two packages name one repository: it is due once, and what it says is what both
// of them have.
func Example() {
	folder, err := os.MkdirTemp("", "store-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	s, err := store.Open(filepath.Join(folder, "pkgmetad.db"), store.Options{Refer: refer})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	repo := "https://github.com/django/django"
	now := time.Now().UTC()
	if _, err := s.SyncCatalogue(record.Catalogue{Packages: []record.Entry{
		{Slug: "django", RepoURL: &repo}, {Slug: "django-admin", RepoURL: &repo},
	}}, now); err != nil {
		log.Fatal(err)
	}
	due, _, err := s.Due(now, 10, record.Order{})
	if err != nil {
		log.Fatal(err)
	}
	for i := range due {
		fmt.Println("due:", due[i].Key)
		due[i].Repo = &record.Repo{Stars: 80000}
		due[i].Status = record.Status{State: record.StateOK, LastAttempt: now, LastSuccess: now, NextDue: now.Add(24 * time.Hour)}
	}
	if err := s.Put(due); err != nil {
		log.Fatal(err)
	}
	for _, slug := range []string{"django", "django-admin"} {
		p, err := s.PackageBySlug(slug)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(p.Slug, p.Repo.Stars)
	}
	// Output:
	// due: github.com/django/django
	// django 80000
	// django-admin 80000
}
