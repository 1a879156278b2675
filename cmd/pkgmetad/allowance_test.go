package main

import (
	"testing"
	"time"

	"pkgmetad/internal/status"
)

func TestAllowance(t *testing.T) {
	now := time.Date(2026, 3, 10, 1, 15, 0, 0, time.UTC)
	for want, b := range map[string]status.Budget{
		"no limit is known": {},
		"token, no limit is known; another host uses it":     {Kind: "token", Elsewhere: true},
		"app, 7 of 5000 requests left until an unknown time": {Kind: "app", Known: true, Limit: 5000, Remaining: 7},
	} {
		if got := allowance(b, nil, now); got != want {
			t.Errorf("%+v is %q, want %q", b, got, want)
		}
	}
}
