package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// contents returns what the files of a folder hold.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[f.Name()] = string(data)
	}
	return found
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestWriteFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	// What a kill left behind, be it of another mode, is no obstacle.
	if err := os.WriteFile(path+".tmp", []byte("left by a kill"), 0o444); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two"} {
		if err := WriteFile(path, 0o600, text(want)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"f": want}, contents(t, folder)); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	// A failure leaves the old file, and nothing else.
	full := errors.New("no space")
	err := WriteFile(path, 0o600, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half of")
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if err := os.Mkdir(filepath.Join(folder, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(folder, "taken"), 0o600, text("x")); err == nil {
		t.Error("a folder was overwritten")
	}
	if err := os.Remove(filepath.Join(folder, "taken")); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(folder, "none", "f"), 0o600, text("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(map[string]string{"f": "two"}, contents(t, folder)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestCopy(t *testing.T) {
	folder := t.TempDir()
	from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
	if err := Create(from, 0o640, text("x")); err != nil {
		t.Fatal(err)
	}
	if err := Copy(from, to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"from": "x", "to": "x"}, contents(t, folder)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if info, err := os.Stat(to); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := Copy(filepath.Join(folder, "none"), to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
