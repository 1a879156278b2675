package upstream

import "regexp"

// tokens matches what GitHub's tokens look like: those of users and apps, which have a
// prefix and any length, and the signed ones (JWT) that apps identify themselves with.
var tokens = regexp.MustCompile(`(?:gh[pousr]_|github_pat_)[A-Za-z0-9._-]{16,}|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?`)

// RedactTokens returns s with *** in place of whatever looks like one of GitHub's tokens.
func RedactTokens(s string) string { return tokens.ReplaceAllString(s, "***") }
