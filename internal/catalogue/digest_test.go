package catalogue

import (
	"bytes"
	"path/filepath"
	"testing"
)

func TestDigest(t *testing.T) {
	folder := t.TempDir()
	one, same, other := filepath.Join(folder, "a.yaml"), filepath.Join(folder, "b.yaml"), filepath.Join(folder, "c.yaml")
	write(t, one, "packages: []\n")
	write(t, same, "packages: []\n")
	write(t, other, "packages: [{slug: a}]\n")
	digest := Digest(one, "github.com")
	if digest == nil || !bytes.Equal(digest, Digest(same, "github.com")) {
		t.Error("the same content has another digest, or none")
	}
	if bytes.Equal(digest, Digest(other, "github.com")) {
		t.Error("another content has the same digest")
	}
	if bytes.Equal(digest, Digest(one, "github.example.org")) {
		t.Error("URLs read otherwise have the same digest")
	}
	if Digest(filepath.Join(folder, "none.yaml"), "github.com") != nil {
		t.Error("a file that is not there has a digest")
	}
}
