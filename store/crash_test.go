package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"pkgmetad/store"
)

const crashFile = "PKGMETAD_TEST_CRASH_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashFile); path != "" {
		fmt.Fprintln(os.Stderr, commitForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// commitForever writes ever higher numbers of stars to all packages and, after
// each commit, the number to standard output.
func commitForever(path string) error {
	s, err := store.Open(path, store.Options{Refer: refer})
	if err != nil {
		return err
	}
	recs, _, err := s.Packages(0, 100)
	if err != nil {
		return err
	}
	for n := recs[0].Repo.Stars + 1; ; n++ {
		for i := range recs {
			recs[i] = fetched(recs[i], n, day(n), day(n+1))
		}
		if err := s.Put(sourcesOf(recs...)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestKilledWhileCommitting(t *testing.T) {
	path := dbPath(t)
	s := open(t, path, store.Options{})
	first := s.Sequence()
	sync(t, s, entries("a", "b", "c", "d", "e", "f", "g", "h"), t0)
	acknowledged := 0
	for kill := range 10 {
		must(t, s.Close())
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashFile+"="+path)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		must(t, err)
		must(t, child.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			acknowledged, err = strconv.Atoi(lines.Text())
			must(t, err)
			if n == 3+kill*2 {
				must(t, child.Process.Kill()) // what it still wrote is read below
			}
		}
		_ = child.Wait()
		if child.ProcessState.Exited() {
			t.Fatalf("the child ended by itself: %s", child.ProcessState)
		}

		checkFile(t, open(t, path, store.Options{}))
		s = open(t, path, store.Options{})
		recs, total, err := s.Packages(0, 100)
		must(t, err)
		stored := recs[0].Repo.Stars
		if stored != acknowledged && stored != acknowledged+1 {
			t.Fatalf("acknowledged %d, stored %d", acknowledged, stored)
		}
		for _, rec := range recs {
			if rec.Repo.Stars != stored || total != 8 {
				t.Fatalf("%s has %d of %d stars", rec.Slug, rec.Repo.Stars, stored)
			}
		}
		if want := first + uint64(8+8*stored); s.Sequence() != want {
			t.Fatalf("sequence %d, want %d", s.Sequence(), want)
		}
	}
}
