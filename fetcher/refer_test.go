package fetcher_test

import (
	"strings"
	"testing"

	"pkgmetad/fetcher"
	"pkgmetad/internal/record"
)

func TestRefer(t *testing.T) {
	for _, test := range []struct {
		host, repo, pypi string // "" for no URL
		want             record.References
		problem          string // a part of the one that is told
	}{
		{"github.com", "https://github.com/Django/Django.git", "https://pypi.org/project/Django/4.2/", record.References{Repo: "github.com/django/django", Project: "pypi:django"}, ""},
		{"github.com", "git@github.com:a/b.git", "Zope_Interface", record.References{Repo: "github.com/a/b", Project: "pypi:zope-interface"}, ""},
		{"github.com", "", "  ", record.References{GitHub: record.StateNone, PyPI: record.StateNone}, ""},
		{"github.com", "https://gitlab.com/a/b", "", record.References{GitHub: record.StateUnsupported, PyPI: record.StateNone}, "gitlab.com"},
		{"github.com", "https://ghe.example.org/a/b", "", record.References{GitHub: record.StateUnsupported, PyPI: record.StateNone}, "ghe.example.org"},
		{"ghe.example.org", "https://ghe.example.org/A/b", "", record.References{Repo: "ghe.example.org/a/b", PyPI: record.StateNone}, ""},
		{"ghe.example.org", "ssh://git@ghe.example.org/a/b.git", "", record.References{Repo: "ghe.example.org/a/b", PyPI: record.StateNone}, ""},
		{"ghe.example.org", "https://github.com/a/b", "", record.References{GitHub: record.StateUnsupported, PyPI: record.StateNone}, "ghe.example.org"},
		{"github.com", "", "https://test.pypi.org/project/x/", record.References{GitHub: record.StateNone, PyPI: record.StateUnsupported}, "TestPyPI"},
	} {
		url := func(s string) *string {
			if s == "" {
				return nil
			}
			return &s
		}
		got := fetcher.Refer(test.host)(record.Entry{RepoURL: url(test.repo), PyPIURL: url(test.pypi)})
		if got.Repo != test.want.Repo || got.Project != test.want.Project || got.GitHub != test.want.GitHub || got.PyPI != test.want.PyPI {
			t.Errorf("%s: %q %q come to %+v, want %+v", test.host, test.repo, test.pypi, got, test.want)
		}
		told := strings.Join(got.Problems, "; ")
		if (told == "") != (test.problem == "") || !strings.Contains(told, test.problem) {
			t.Errorf("%s: %q %q: told %q, want %q in it", test.host, test.repo, test.pypi, told, test.problem)
		}
	}
}
