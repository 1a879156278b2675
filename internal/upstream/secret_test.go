package upstream_test

import (
	"strings"
	"testing"

	"pkgmetad/internal/upstream"
)

func TestRedactTokens(t *testing.T) {
	x := strings.Repeat("aB3", 12) // 36 characters
	for text, want := range map[string]string{
		"you sent ghp_" + x + ", which":                               "you sent ***, which",
		"gho_" + x + " ghu_" + x + " ghr_" + x + " ghs_" + x:          "*** *** *** ***",
		`"ghs_12345_` + strings.Repeat("x-_", 160) + `.eyJ` + x + `"`: `"***"`,
		"github_pat_11ABC_" + x + x:                                   "***",
		"Bearer eyJhbGciOiJSUzI1NiJ9." + x + "." + x + " is no JWT":   "Bearer *** is no JWT",
		"https://github.com/o/ghp_tools":                              "https://github.com/o/ghp_tools",
		"2f1d9c5a7e3b8d604c1f2a9b7e5d3c8f6a0b1c2d is a commit":        "2f1d9c5a7e3b8d604c1f2a9b7e5d3c8f6a0b1c2d is a commit",
	} {
		if got := upstream.RedactTokens(text); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
