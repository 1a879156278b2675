package main

import (
	"time"

	"pkgmetad/internal/status"
)

// moment writes a time, in UTC, and how far it is from now.
func moment(t, now time.Time, zero string) string {
	if t.IsZero() {
		return zero
	}
	return t.UTC().Format(time.RFC3339) + " (" + status.Age(t, now.UTC()) + ")"
}
