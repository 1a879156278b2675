package main

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestRecorded(t *testing.T) {
	const revision, at = "0123456789abcdef", "2026-02-15T20:01:26Z"
	for _, test := range []struct {
		name         string
		settings     []debug.BuildSetting
		commit, date string
	}{
		{name: "no repository"},
		{name: "no revision", settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}},
		{"clean", []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: at}, {Key: "vcs.modified", Value: "false"}}, "0123456789ab", at},
		{"changed", []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: at}}, "0123456789ab+changes", at},
		{"short", []debug.BuildSetting{{Key: "vcs.revision", Value: "7"}}, "7", ""},
	} {
		if commit, date := recorded(test.settings); commit != test.commit || date != test.date {
			t.Errorf("%s: %q of %q, not %q of %q", test.name, commit, date, test.commit, test.date)
		}
	}
}

// TestReleaseVersion: a release that was built without its repository knows what it is.
func TestReleaseVersion(t *testing.T) {
	program := filepath.Join(t.TempDir(), "pkgmetad")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program,
		"-ldflags=-X main.version=1.2.3 -X main.releaseCommit=0123456789ab -X main.releaseDateUnix=1771185686", ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	out, err := exec.Command(program, "version").Output()
	if want := "pkgmetad 1.2.3 (commit 0123456789ab of 2026-02-15T20:01:26Z, go"; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("it says %s (%v), not %s", out, err, want)
	}
}
