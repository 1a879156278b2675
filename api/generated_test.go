package api

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// generatorVariable set to "required" makes it a failure, and no reason to skip, that the
// generator cannot be had.
const generatorVariable = "PKGMETAD_GENERATOR"

// TestGeneratedClient: a strict generator makes a client of the description as it stands,
// without options to help it, and that client understands the answers.
func TestGeneratedClient(t *testing.T) {
	tools, err := filepath.Abs("../.ci/tools.mod")
	if err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Env = append(os.Environ(), "GOFLAGS=-modfile="+tools)
		return cmd.CombinedOutput()
	}
	if out, err := command("list", "-deps", "tool", "github.com/oapi-codegen/runtime"); err != nil {
		if os.Getenv(generatorVariable) == "required" {
			t.Fatalf("oapi-codegen cannot be had: %v\n%s", err, out)
		}
		t.Skipf("oapi-codegen cannot be had: %v\n%s", err, out)
	}
	folder := t.TempDir()
	client, caller, program := filepath.Join(folder, "client.go"), filepath.Join(folder, "main.go"), filepath.Join(folder, "client")
	source, err := os.ReadFile("testdata/openapi/client/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(caller, source, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"tool", "oapi-codegen", "-generate", "types,client", "-package", "main", "-o", client, "openapi.json"},
		{"build", "-o", program, caller, client},
	} {
		if out, err := command(args...); err != nil {
			t.Fatalf("go %q: %v\n%s", args, err, out)
		}
	}
	server := httptest.NewServer(newWorld(t))
	defer server.Close()
	out, err := exec.CommandContext(t.Context(), program, server.URL).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := fmt.Sprintf(`package 1609 251 0.10 16
none 404 No Package matches the given query.
page 45 2 %[1]s/api/v4/packages/?limit=2
changes 3 true
upsert upsert true
v3 251 /api/v3/packages/djorm-ext-pgfulltext/
status 45
`, server.URL)
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
