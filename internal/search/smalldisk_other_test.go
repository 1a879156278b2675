//go:build !linux

package search

import "testing"

func smallDisk(t *testing.T, _ int) string {
	t.Skip("a small disk is only made on Linux")
	return ""
}
