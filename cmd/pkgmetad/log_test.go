package main

import (
	"strings"
	"testing"

	"pkgmetad/internal/config"
)

// TestConsole: the line of a pass has no zeros for people, and all of them for programs;
// other lines have theirs.
func TestConsole(t *testing.T) {
	for format, want := range map[string][2]string{
		"console": {"INF pass done asked=2 took=1s\n", "INF other failed=0\n"},
		"json":    {`"asked":2,"failed":0,"took":"1s"`, `"failed":0`},
	} {
		var out strings.Builder
		log, _ := newLogger(config.Log{Level: "info", Format: format}, &out)
		log.Info().Int("asked", 2).Int("failed", 0).Str("took", "1s").Msg("pass done")
		log.Info().Int("failed", 0).Msg("other")
		lines := strings.SplitAfter(out.String(), "\n")
		if !strings.Contains(lines[0], want[0]) || !strings.Contains(lines[1], want[1]) {
			t.Errorf("%s:\n%s", format, out.String())
		}
	}
}
