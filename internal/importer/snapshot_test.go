package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func lines(t *testing.T, entries ...entry) string {
	t.Helper()
	var b strings.Builder
	for _, e := range entries {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenSnapshot(t *testing.T) {
	good := lines(t, aPackage(1))
	for content, want := range map[string]bool{
		good: true, "\n \r\n" + good: true, strings.TrimSuffix(good, "\n"): true, strings.Repeat("\n", 10_000) + good: true,
		lines(t, aPackage(1).with("repo_description", strings.Repeat("x", 20_000))): true,
		`{"last_fetched":null}`: true, `{"repo_watchers":5}` + "\nnonsense": true, `{"commits_over_52":[]}`: true,
		"": false, "\n": false, "{}": false, `{"slug":"wagtail"}`: false, "packages: []": false, "[" + good + "]": false,
		`{"count":1,"results":[` + good + `]}`: false, "\x1f\x8b": false, "\x28\xb5\x2f\xfd": false,
	} {
		s, err := OpenSnapshot(file(t, content))
		if (err == nil) != want {
			t.Errorf("%.60q: %v", content, err)
		}
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := OpenSnapshot(file(t, "packages: []")); !errors.Is(err, ErrNotSnapshot) {
		t.Errorf("a catalogue: %v", err)
	}
	if _, err := OpenSnapshot(t.TempDir()); err == nil || errors.Is(err, ErrNotSnapshot) {
		t.Errorf("a folder: %v", err)
	}
}

func TestReadSnapshot(t *testing.T) {
	long, err := json.Marshal(aPackage(7).with("repo_description", strings.Repeat("x", maxLine)))
	if err != nil {
		t.Fatal(err)
	}
	fits := aPackage(8).with("repo_description", "")
	overhead := len(lines(t, fits)) - 1
	s, err := OpenSnapshot(file(t, lines(t, aPackage(3), aPackage(1))+"\r\n{\"id\":9\n"+string(long)+"\n"+
		lines(t, fits.with("repo_description", strings.Repeat("x", maxLine-overhead)), aPackage(2).with("repo_watchers", -1), aPackage(1).with("repo_forks", 86))+`{"id":4,"slug":"cut`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"line 4: is not JSON: unexpected end of JSON input; skipped",
		"line 5: is longer than 1 MiB; skipped",
		"package 2: repo_watchers is -1; skipped",
		"line 9: is not JSON: unexpected end of JSON input; skipped",
	}
	if !slices.Equal(c.Problems, want) || c.Skipped != 4 {
		t.Errorf("%d skipped:\n%s", c.Skipped, strings.Join(c.Problems, "\n"))
	}
	var ids []int
	for _, rec := range c.Records {
		ids = append(ids, rec.ID)
	}
	if !slices.Equal(ids, []int{1, 3, 8}) || c.Records[0].Repo.Forks != 86 || c.Records[0].Category != 1 {
		t.Errorf("records %v, %+v", ids, c.Records[0])
	}
}

func TestSnapshotStops(t *testing.T) {
	s, err := OpenSnapshot(file(t, strings.Repeat(lines(t, aPackage(1)), 2*progressLines)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithCancel(t.Context())
	s.Progress = func(read, size int64) {
		if read <= 0 || read > size {
			t.Errorf("read %d of %d", read, size)
		}
		stop()
	}
	if _, err := s.Read(ctx); err == nil || err.Error() != "stopped; nothing was changed" {
		t.Errorf("error %v", err)
	}
}

// TestProblemsAreBounded: a file of nonsense is not all kept in memory.
func TestProblemsAreBounded(t *testing.T) {
	s, err := OpenSnapshot(file(t, `{"last_fetched":null}`+strings.Repeat("\n{}", 3*maxProblems)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if c, err := s.Read(t.Context()); err != nil || len(c.Problems) != maxProblems || c.Skipped != 3*maxProblems+1 {
		t.Errorf("%v, %d problems of %d", err, len(c.Problems), c.Skipped)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	line, err := json.Marshal(aPackage(1).with("commits_over_52", make([]int, 52)))
	if err != nil {
		b.Fatal(err)
	}
	var content bytes.Buffer
	for id := range 1000 {
		content.Write(bytes.Replace(bytes.Replace(line, []byte(`"id":1`), fmt.Appendf(nil, `"id":%d`, id+1), 1), []byte(`"slug":"p1"`), fmt.Appendf(nil, `"slug":"p%d"`, id+1), 1))
		content.WriteByte('\n')
	}
	path := filepath.Join(b.TempDir(), "snapshot")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(content.Len()))
	b.ReportAllocs()
	for b.Loop() {
		s, err := OpenSnapshot(path)
		if err != nil {
			b.Fatal(err)
		}
		s.StaleAfter = time.Hour
		if c, err := s.Read(b.Context()); err != nil || len(c.Records) != 1000 {
			b.Fatal(err)
		}
		_ = s.Close()
	}
}
