package config

import (
	"path/filepath"
	"strings"
	"testing"

	"pkgmetad/internal/strict/stricttest"
)

// TestFoldersThatAreMissing: nothing makes the folder of the store or of the backups'
// folder, so that it is missing is a mistake, told with its place.
func TestFoldersThatAreMissing(t *testing.T) {
	path := stricttest.WriteFile(t, "c.yaml", `
store: {path: nowhere/p.db, backup: {folder: "c.yaml/copies"}}
catalogue: {path: c.ndjson}
`)
	_, err := Load(path, nil)
	want := path + `:2:15: store.path: there is no folder "` + filepath.Dir(path) + `/nowhere"; create it, or name another one` + "\n" +
		path + `:2:46: store.backup.folder: "` + path + `" is not a folder; name one`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestLiteralPaths: what a shell would replace in a path is told to be taken as it stands.
func TestLiteralPaths(t *testing.T) {
	path := stricttest.WriteFile(t, "c.yaml", `
store: {path: "$p.db", backup: {folder: plain}}
catalogue: {path: ~/c.yaml}
`)
	cfg, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(cfg.Warnings, "\n"); got != `store.path: "$p.db" is taken literally: neither variables nor ~ are replaced in a path; write it out
catalogue.path: "~/c.yaml" is taken literally: neither variables nor ~ are replaced in a path; write it out` {
		t.Errorf("warnings:\n%s", got)
	}
	for _, text := range []string{`store: {path: "${HOME}/p.db"}`, "store: {path: ~/p.db}", "store: {path: p.db}\ngithub: {token_file: ~/token}"} {
		_, err := Load(stricttest.WriteFile(t, "c.yaml", text+"\ncatalogue: {path: c.yaml}\n"), nil)
		if err == nil || !strings.Contains(err.Error(), "neither variables nor ~ are replaced") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
