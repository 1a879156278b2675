package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checkGolden loads every file of a folder but the .want ones; each must fail
// with the text in the file of its name with .want added. UPDATE_GOLDEN=1
// writes those files instead.
func checkGolden(t *testing.T, folder string, load func(path string) error) {
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
				t.Fatal("loads, but is a file with a mistake")
			}
			got := strings.ReplaceAll(err.Error(), folder+string(filepath.Separator), "") + "\n"
			if strings.Contains(got, "CANARY") {
				t.Errorf("the secret shows in: %s", got)
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

func TestBadConfigs(t *testing.T) {
	checkGolden(t, filepath.Join("testdata", "config"), func(path string) error {
		_, err := LoadConfig(path, nil)
		if ce := (*ConfigError)(nil); err != nil && !errors.As(err, &ce) {
			t.Errorf("the error is a %T", err)
		}
		return err
	})
}

func TestBadCatalogues(t *testing.T) {
	checkGolden(t, filepath.Join("testdata", "catalogue"), func(path string) error {
		_, err := LoadCatalogue(path)
		if fe := (*FileError)(nil); err != nil && !errors.As(err, &fe) {
			t.Errorf("the error is a %T", err)
		}
		return err
	})
}
