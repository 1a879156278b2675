package near

import (
	"slices"
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"forms", "forms", 0}, {"forms", "from", 3}, {"kitten", "sitting", 3}, {"crispy", "crispi", 1}} {
		if got, back := Distance(test.a, test.b), Distance(test.b, test.a); got != test.want || back != test.want {
			t.Errorf("%q and %q: %d and %d, want %d", test.a, test.b, got, back, test.want)
		}
	}
}

func TestClosest(t *testing.T) {
	names := []string{"crispy-bootstrap5", "crispy-forms", "formtools", "rest-framework", "Crispy-Tailwind", "debug-toolbar", ""}
	for name, want := range map[string][]string{
		"crispy-froms":                     {"crispy-forms"},
		"CRISPY-BOOTSTRAP":                 {"crispy-bootstrap5"},
		"crispy":                           {"crispy-forms", "Crispy-Tailwind", "crispy-bootstrap5"},
		"rest-framework-plus":              {"rest-framework"},
		"toolbar":                          {"debug-toolbar"},
		"xyzzy":                            nil,
		"re":                               nil, // too short to stand for a longer one
		"":                                 nil,
		strings.Repeat("crispy-forms", 20): nil,
	} {
		if got := Closest(name, names, func(s string) string { return s }, 3); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Closest("crispy", names, func(s string) string { return s }, 1); !slices.Equal(got, []string{"crispy-forms"}) {
		t.Errorf("one: %q", got)
	}
}
