package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestManPages: every command that help shows has a page that says what help says, and
// man has nothing to complain of.
func TestManPages(t *testing.T) {
	folder := t.TempDir()
	if code := run(t.Context(), []string{"man", folder}, io.Discard, os.Stderr); code != 0 {
		t.Fatalf("pkgmetad man ended with %d", code)
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Log("the pages are not rendered: man is not installed (apt-get install man-db)")
	}
	pages := 0
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		pages++
		page := filepath.Join(folder, manName(cmd)+".1")
		if _, err := os.Stat(page); err != nil {
			t.Error(err)
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				check(sub)
			}
		}
		if man == "" {
			return
		}
		c := exec.Command(man, "--warnings", "--local-file", page)
		c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=90", "MANPAGER=cat")
		out, err := c.CombinedOutput()
		text := string(out)
		if err != nil || strings.Contains(text, "warning:") {
			t.Errorf("%s: %v\n%s", page, err, text)
		}
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if !strings.Contains(text, strings.TrimSpace(line)) {
				t.Errorf("%s lacks the line %q:\n%s", page, line, text)
			}
		}
	}
	check(newRootCommand())
	if pages < 9 {
		t.Errorf("only %d pages", pages)
	}
	if code := run(t.Context(), []string{"man", filepath.Join(folder, "nowhere")}, io.Discard, io.Discard); code != exitFailed {
		t.Errorf("a folder that is not there: %d", code)
	}
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		"plain":           "plain",
		".yaml\n'quoted'": `\&.yaml` + "\n" + `\&'quoted'`,
		`a\b --all`:       `a\eb \-\-all`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
	}
}
