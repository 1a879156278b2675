// Package stricttest helps to test the readers of the files that people write,
// with folders of files that each have a mistake.
package stricttest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/strict"
)

// Golden loads every file of a folder. Each must fail with the text in the file of
// the same name plus .want, in which paths lack the folder, and the text must not
// contain the word CANARY. UPDATE_GOLDEN=1 writes those files instead.
func Golden(t *testing.T, folder string, load func(path string) error) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range files {
		if strings.HasSuffix(path, ".want") {
			continue
		}
		checked++
		t.Run(filepath.Base(path), func(t *testing.T) {
			err := load(path)
			if err == nil {
				t.Fatal("loads, although it has a mistake")
			}
			if !errors.As(err, new(*strict.FileError)) {
				t.Errorf("the error is a %T", err)
			}
			got := strings.ReplaceAll(err.Error(), folder+string(filepath.Separator), "") + "\n"
			if strings.Contains(got, "CANARY") {
				t.Errorf("the secret appears in: %s", got)
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(path+".want", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	if checked == 0 {
		t.Fatalf("no files in %s", folder)
	}
}

// Seed adds the files of a folder for Golden to a fuzz corpus.
func Seed(f *testing.F, folder string) {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds in %s: %v", folder, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, ".want") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}

// OneLineEach fails the test if a problem in a [*strict.FileError] takes more than
// one line. Other errors fail it too.
func OneLineEach(t *testing.T, err error) {
	t.Helper()
	var file *strict.FileError
	if !errors.As(err, &file) {
		t.Fatalf("the error is a %T: %v", err, err)
	}
	if strings.Count(err.Error(), "\n")+1 != len(file.Problems)+min(file.More, 1) {
		t.Errorf("a problem takes more than one line:\n%s", err)
	}
}

// WriteFile writes a file into a folder of its own and returns its path.
func WriteFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
