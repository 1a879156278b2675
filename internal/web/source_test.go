package web

import (
	"strings"
	"testing"

	"pkgmetad/internal/record"
)

// TestPendingInWords: what is said of a source whose answer left something open holds
// for PyPI too, and whatever it was. The note of the source has the reason.
func TestPendingInWords(t *testing.T) {
	p := crispy()
	p.PyPI = record.Status{State: record.StatePending, LastSuccess: p.PyPI.LastSuccess, Note: "PyPI gave an older answer than before"}
	p.GitHub = record.Status{State: record.StatePending, LastSuccess: p.GitHub.LastSuccess, Note: "the contributors contradict the commits"}
	words := newChart(&p).Doubt
	for _, s := range sources(&p) {
		words += " " + s.Words
	}
	if strings.Contains(words, "weekly") || strings.Contains(words, "computing") || strings.Count(words, "to be asked again soon") != 2 {
		t.Errorf("it says: %s", words)
	}
}
