package cluster

import (
	"strings"
	"testing"
)

func TestSubject(t *testing.T) {
	for name, want := range map[string]string{
		"source/github.com/django/django": "pkg.source.github%2Ecom/django/django",
		"source/pypi:Django":              "pkg.source.pypi:Django",
		"entry/1609":                      "pkg.entry.1609",
		"meta/origin":                     "pkg.meta.origin",
		"meta":                            "pkg.meta",
		"":                                "pkg.%",
		"a/":                              "pkg.a.%",
		"a/ *>%\x00é":                     "pkg.a.%20%2A%3E%25%00%C3%A9",
	} {
		if got := subject(name); got != want {
			t.Errorf("subject of %q is %q, not %q", name, got, want)
		}
		if got, err := nameOf(want); got != name || err != nil {
			t.Errorf("name of %q is %q, not %q; error %v", want, got, name, err)
		}
	}
	for _, bad := range []string{"", "work.github.x", "pkg.a.b.c", "pkg.a.%2", "pkg.a.%zz", "pkg.a.%2e", "pkg.a.%41", "pkg.a..", "pkg."} {
		if got, err := nameOf(bad); err == nil {
			t.Errorf("name of %q is %q", bad, got)
		}
	}
}

func FuzzSubject(f *testing.F) {
	for _, name := range []string{"source/github.com/o/n", "", "/", "a/%", "é/*", "a.b/c.d", "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		s := subject(name)
		if got, err := nameOf(s); got != name || err != nil {
			t.Fatalf("%q became %q and then %q, error %v", name, s, got, err)
		}
		for token := range strings.SplitSeq(s, ".") {
			if token == "" || strings.ContainsAny(token, " \t\r\n*>\x00\x7f") {
				t.Fatalf("%q became %q, which is no subject", name, s)
			}
		}
		// What is no name's subject is refused: no two subjects are of one name.
		if got, err := nameOf(name); err == nil && subject(got) != name {
			t.Fatalf("%q is taken for the subject of %q", name, got)
		}
	})
}
