package store_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"pkgmetad/internal/record"
	"pkgmetad/store"
)

// schema2 unpacks a store that the last program of schema 2 wrote, and tells what
// that program read in it.
func schema2(t *testing.T) (path string, known schema2Content) {
	t.Helper()
	path = unpack(t, "testdata/schema2.db.gz")
	text, err := os.ReadFile("testdata/schema2.json")
	must(t, err)
	must(t, json.Unmarshal(text, &known))
	return path, known
}

func unpack(t *testing.T, name string) (path string) {
	t.Helper()
	packed, err := os.Open(name)
	must(t, err)
	defer packed.Close()
	unzip, err := gzip.NewReader(packed)
	must(t, err)
	path = dbPath(t)
	file, err := os.Create(path)
	must(t, err)
	_, err = io.Copy(file, unzip)
	must(t, err)
	must(t, file.Close())
	return path
}

type schema2Content struct {
	Sequence uint64
	Changed  time.Time
	Records  []record.Package // highest id first; in the form of schema 2, which has no keys
	Feed     []struct {
		Sequence   uint64
		Deleted    bool
		ID         int
		Slug, Body string
		At         time.Time
	}
}

// schema2Options read the URLs of that store.
func schema2Options(rerender bool) store.Options {
	keys := map[string]record.Key{
		"https://github.com/Acme/Alpha.git": "github.com/acme/alpha", "https://pypi.org/project/alpha/": "pypi:alpha",
		"https://github.com/acme/shared": "github.com/acme/shared", "https://pypi.org/project/shared/": "pypi:shared",
		"git@github.com:acme/Shared.git": "github.com/acme/shared", "http://pypi.python.org/pypi/Shared": "pypi:shared",
		"https://github.com/acme/old-name": "github.com/acme/old-name", "https://pypi.org/project/elsewhere/": "pypi:elsewhere",
		"https://github.com/acme/gone": "github.com/acme/gone", "https://pypi.org/project/gone/": "pypi:gone",
		"https://github.com/acme/new": "github.com/acme/new", "https://github.com/acme/left": "github.com/acme/left",
		"https://pypi.org/project/left/": "pypi:left",
	}
	refer := func(url *string) (record.Key, record.State) {
		switch {
		case url == nil:
			return "", record.StateNone
		case keys[*url] == "":
			return "", record.StateUnsupported
		}
		return keys[*url], ""
	}
	return store.Options{
		Refer: func(e record.Entry) (refs record.References) {
			refs.Repo, refs.GitHub = refer(e.RepoURL)
			refs.Project, refs.PyPI = refer(e.PyPIURL)
			return refs
		},
		Rendering: "v1 Europe/Berlin https://packages.example.org", Rerender: rerender,
	}
}

// TestMigrationFromSchema2: nothing is lost, and no reader notices.
func TestMigrationFromSchema2(t *testing.T) {
	path, known := schema2(t)
	// The shared repository and project are known by the later of two answers.
	for i := range known.Records {
		if p := &known.Records[i]; p.Slug == "shared-one" {
			later := known.Records[i-1] // shared-two
			p.Repo, p.GitHub, p.Project, p.PyPI = later.Repo, later.GitHub, later.Project, later.PyPI
		}
	}
	check := func(t *testing.T, s *store.Store) {
		t.Helper()
		if s.Sequence() != known.Sequence || !s.Changed().Equal(known.Changed) {
			t.Errorf("sequence %d of %v, want %d of %v", s.Sequence(), s.Changed(), known.Sequence, known.Changed)
		}
		packages, _, err := s.Packages(0, 100)
		must(t, err)
		for i := range packages {
			packages[i].RepoKey, packages[i].ProjectKey = "", ""
		}
		diff(t, "packages", known.Records, packages)
		changes, _, _, err := s.Changes(0, 100)
		must(t, err)
		if len(changes) != len(known.Feed) {
			t.Fatalf("the feed has %d changes, not %d", len(changes), len(known.Feed))
		}
		for i, want := range known.Feed {
			if got := changes[i]; got.Sequence != want.Sequence || got.Deleted != want.Deleted || got.ID != want.ID || got.Slug != want.Slug || string(got.Body) != want.Body || !got.At.Equal(want.At) {
				t.Errorf("change %d is %+v, want %+v", i, got, want)
			}
		}
		passes, err := s.Passes(time.Time{})
		must(t, err)
		if len(passes) != 1 || passes[0].Asked != 7 || passes[0].GitHub.Charged != 20 || passes[0].GitHub.Reason == "" {
			t.Errorf("passes: %+v", passes)
		}
		sum, err := s.Summary(day(9), nil, 9)
		must(t, err)
		if sum.Packages != 8 || sum.GitHub.States[record.StateGone] != 1 || sum.GitHub.States[record.StateNew] != 1 {
			t.Errorf("summary: %+v", sum)
		}
	}
	s := open(t, path, schema2Options(true))
	check(t, s)
	due, _, err := s.Due(time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC), 99, record.Order{})
	must(t, err)
	diff(t, "due", "NEWALPHAalphaOLD-NAMEelsewhereGONEgoneSHAREDshared", names(due))
	must(t, s.Close())
	s = open(t, path, schema2Options(true))
	check(t, s)

	// What left the catalogue comes back with its data.
	c := record.Catalogue{Packages: []record.Entry{{Slug: "left", Title: "left", RepoURL: new("https://github.com/acme/left"), PyPIURL: new("https://pypi.org/project/left/")}}}
	diff(t, "report", store.SyncReport{Restored: 1, Removed: 8}, sync(t, s, c, day(9)))
	if left := get(t, s, "left"); left.ID != 8 || left.Repo.Stars != 3 || *left.Project.Version != "1" || left.GitHub.State != record.StateOK || left.LastFetched.IsZero() {
		t.Errorf("left: %+v", left)
	}
	checkFile(t, s)
}

// TestMigrationCountsWhatItKept: of two answers about one source the later one stands,
// and the summary counts that one, whichever package had it.
func TestMigrationCountsWhatItKept(t *testing.T) {
	defer store.SetChunk(1)() // so that they are migrated by different transactions
	for _, older := range []uint64{2, 3} {
		path, _ := schema2(t)
		raw(t, path, func(tx *bolt.Tx) error {
			var p map[string]any
			b := tx.Bucket([]byte("packages"))
			must(t, json.Unmarshal(b.Get(be(older))[4:], &p))
			p["github"] = map[string]any{"state": "failed", "last_attempt": "2026-03-01T12:00:00Z", "failures": 1}
			p["pypi"] = p["github"]
			body, err := json.Marshal(p)
			must(t, err)
			sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
			return b.Put(be(older), append(binary.BigEndian.AppendUint32(nil, sum), body...))
		})
		s := open(t, path, schema2Options(true))
		sum, err := s.Summary(day(9), nil, 9)
		must(t, err)
		packages, _, err := s.Packages(0, 99)
		must(t, err)
		gitHub, pyPI := map[record.State]int{}, map[record.State]int{}
		for _, p := range packages {
			gitHub[p.GitHub.State]++
			pyPI[p.PyPI.State]++
		}
		diff(t, "repositories", gitHub, sum.GitHub.States)
		diff(t, "projects", pyPI, sum.PyPI.States)
		checkFile(t, s)
	}
}

// TestMigrationKeepsACopy of the file as it was, and never loses one.
func TestMigrationKeepsACopy(t *testing.T) {
	path, _ := schema2(t)
	before := inUse(t, path)
	copies := func() []string {
		found, err := filepath.Glob(path + ".before-schema-*")
		must(t, err)
		return found
	}
	for n := 1; n <= 2; n++ { // the second time after it was put back
		must(t, os.WriteFile(path, before, 0o600))
		s := open(t, path, schema2Options(true))
		must(t, s.Close())
		must(t, open(t, path, schema2Options(true)).Close())
		if len(copies()) != n {
			t.Fatalf("copies: %v", copies())
		}
	}
	for _, copied := range copies() {
		raw(t, copied, func(tx *bolt.Tx) error {
			if got := tx.Bucket([]byte("meta")).Get([]byte("schema")); string(got) != string(be(2)) {
				t.Errorf("the schema of %s is %x", copied, got)
			}
			return nil
		})
	}
}

// TestMigrationKeepsTheLaterAnswer: of what two packages had for one source, whichever
// of them comes first.
func TestMigrationKeepsTheLaterAnswer(t *testing.T) {
	path, known := schema2(t)
	two, one := known.Records[5], known.Records[6]
	if one.Slug != "shared-one" || two.Slug != "shared-two" || !two.GitHub.LastSuccess.After(one.GitHub.LastSuccess) {
		t.Fatalf("%s and %s are not those that share a source", one.Slug, two.Slug)
	}
	one.Repo, one.GitHub, one.Project, one.PyPI, two.Repo, two.GitHub, two.Project, two.PyPI =
		two.Repo, two.GitHub, two.Project, two.PyPI, one.Repo, one.GitHub, one.Project, one.PyPI
	raw(t, path, func(tx *bolt.Tx) error {
		for _, p := range []record.Package{one, two} {
			body, err := json.Marshal(p)
			must(t, err)
			sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
			must(t, tx.Bucket([]byte("packages")).Put(be(uint64(p.ID)), append(sum, body...)))
		}
		return nil
	})
	s := open(t, path, schema2Options(true))
	for _, slug := range []string{"shared-one", "shared-two"} {
		if got := get(t, s, slug); got.Repo.Stars != one.Repo.Stars || *got.Project.Version != *one.Project.Version || !got.PyPI.LastSuccess.Equal(one.PyPI.LastSuccess) {
			t.Errorf("%s: %+v", slug, got)
		}
	}
	checkFile(t, s)
}

// TestMigrationFromSchema3: what lists are sorted by is known of every package, and nothing
// else changes.
func TestMigrationFromSchema3(t *testing.T) {
	_, known := schema2(t)
	path := unpack(t, "testdata/schema3.db.gz") // the store of schema 2, as the last program of schema 3 migrated it
	o := schema2Options(true)
	var told []string
	o.Migrating = func(sentence string) { told = append(told, sentence) }
	s := open(t, path, o)
	if len(told) != 1 || !strings.Contains(told[0], "from schema 3 to 4") || !strings.Contains(told[0], path+".before-schema-4") {
		t.Errorf("the operator is told %q", told)
	}
	if s.Sequence() != known.Sequence || !s.Changed().Equal(known.Changed) {
		t.Errorf("sequence %d of %v, want %d of %v", s.Sequence(), s.Changed(), known.Sequence, known.Changed)
	}
	diff(t, "by stars", byStars(t, s), listed(t, s, record.ListQuery{Sort: record.ByStars}))
	checkFile(t, s)
}

// TestMigrationOnAFullDisk: without room for the copy nothing is changed, and nothing is left.
func TestMigrationOnAFullDisk(t *testing.T) {
	packed := unpack(t, "testdata/schema3.db.gz")
	before, err := os.ReadFile(packed)
	must(t, err)
	folder := filepath.Join(t.TempDir(), "small")
	must(t, os.Mkdir(folder, 0o700))
	size := func(bytes int) string { return fmt.Sprintf("size=%d", bytes) }
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", size(len(before)+64<<10), "none", folder).CombinedOutput(); err != nil {
		t.Skipf("a small disk needs the right to mount one: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	path := filepath.Join(folder, "test.db")
	must(t, os.WriteFile(path, before, 0o600))
	s, err := store.Open(path, schema2Options(true))
	if err == nil {
		_ = s.Close()
		t.Fatal("it was migrated without a copy")
	}
	for _, want := range []string{"before it is migrated to schema 4", "no space left on device", "nothing was changed; make room for a copy of 1 MiB"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 || !bytes.Equal(before, after) {
		t.Errorf("there is %v, %v; the file is as it was: %t", files, err, bytes.Equal(before, after))
	}
	if out, err := exec.Command("mount", "-o", "remount,"+size(3*len(before)), folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkFile(t, open(t, path, schema2Options(true)))
}

// TestMigrationDatesPages: pages are as old as they were, unless the migration comes
// with another http.max_limit.
func TestMigrationDatesPages(t *testing.T) {
	path, known := schema2(t)
	s := open(t, path, schema2Options(true))
	for _, test := range []struct {
		value string
		same  bool
	}{{"max_limit=1000", true}, {"max_limit=999", false}} {
		since, err := s.Dated("pages", test.value)
		must(t, err)
		if since.Equal(known.Changed) != test.same {
			t.Errorf("%s since %v; the store last changed at %v", test.value, since, known.Changed)
		}
	}
}

// TestMigrationGoesOn: one that broke off is completed by the next start, and an
// older program does not touch what is half done.
func TestMigrationGoesOn(t *testing.T) {
	path, known := schema2(t)
	o := schema2Options(true)
	refer := o.Refer
	o.Refer = func(e record.Entry) record.References {
		if e.Slug == "renamed" {
			panic("the power fails")
		}
		return refer(e)
	}
	if _, err := store.Open(path, o); err == nil {
		t.Fatal("the migration did not break off")
	}
	raw(t, path, func(tx *bolt.Tx) error {
		if got := tx.Bucket([]byte("meta")).Get([]byte("schema")); string(got) != string(be(4)) {
			t.Errorf("the schema of a half migrated file is %x", got)
		}
		return nil
	})
	o = schema2Options(true)
	var told []string
	o.Migrating = func(sentence string) { told = append(told, sentence) }
	s := open(t, path, o)
	if len(told) != 1 || !strings.Contains(told[0], "interrupted, goes on") {
		t.Errorf("the operator is told %q", told)
	}
	must(t, s.Close())
	told = nil
	s = open(t, path, o)
	if len(told) > 0 {
		t.Errorf("of a file that is migrated the operator is told %q", told)
	}
	if _, total, err := s.Packages(0, 100); err != nil || total != len(known.Records) || s.Sequence() != known.Sequence {
		t.Errorf("%d packages, sequence %d, %v", total, s.Sequence(), err)
	}
	checkFile(t, s)
}

// TestMigrationFromSchema1: a file without served forms and feed gets both, and
// loses nothing.
func TestMigrationFromSchema1(t *testing.T) {
	path, known := schema2(t)
	raw(t, path, func(tx *bolt.Tx) error {
		for _, name := range []string{"served", "changes", "deletions", "sources", "passes"} {
			must(t, tx.DeleteBucket([]byte(name)))
		}
		meta := tx.Bucket([]byte("meta"))
		for _, name := range []string{"changed", "floor", "rendering", "catalogue"} {
			must(t, meta.Delete([]byte(name)))
		}
		must(t, meta.Put([]byte("sequence"), be(17)))
		return meta.Put([]byte("schema"), be(1))
	})
	s := open(t, path, schema2Options(false))
	alpha := get(t, s, "alpha")
	want := known.Records[len(known.Records)-1]
	want.RepoKey, want.ProjectKey = "github.com/acme/alpha", "pypi:alpha"
	diff(t, "a record", want, alpha)
	all := served(t, s)
	for _, change := range known.Feed {
		if !change.Deleted && change.ID != 2 && all[change.ID] != change.Body { // 2 has now what 3 knew
			t.Errorf("served of %d: %s, want %s", change.ID, all[change.ID], change.Body)
		}
	}
	if _, _, _, err := s.Changes(17, 10); err == nil {
		t.Error("the feed goes on from a sequence of before")
	}
	changes, _, more, err := s.Changes(0, 100)
	must(t, err)
	if got := fmt.Sprint(len(changes), more, s.Sequence() > 1<<40); got != "8 false true" {
		t.Errorf("the feed has %s", got)
	}
	sum, err := s.Summary(day(1), nil, 0)
	must(t, err)
	if sum.Packages != 8 || sum.GitHub.States[record.StateOK] != 4 {
		t.Errorf("the summary is %+v", sum)
	}
	checkFile(t, s)
}
