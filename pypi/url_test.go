package pypi

import (
	"errors"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://pypi.org/project/django/":                                     "django",
		"https://pypi.org/project/Django":                                      "Django",
		"http://pypi.org/project/django/4.2.1/":                                "django",
		"HTTPS://PyPI.org/project/django/":                                     "django",
		"pypi.org/project/django/":                                             "django",
		"//pypi.org/project/django/":                                           "django",
		"www.pypi.org/p/django":                                                "django",
		"https://pypi.org./p/django":                                           "django",
		"https://pypi.org:443/p/django/1.0/":                                   "django",
		"https://pypi.python.org/pypi/django":                                  "django",
		"https://pypi.python.org/pypi/zope.interface/4.1.0":                    "zope.interface",
		"https://pypi.org/pypi/django/json":                                    "django",
		"https://pypi.org/pypi/django/4.2/json":                                "django",
		"https://pypi.org/pypi/json":                                           "json",
		"http://pypi.io/project/django":                                        "django",
		"http://www.pypi.io/project/django":                                    "django",
		"https://warehouse.python.org/project/django/":                         "django",
		"https://pypi.org/simple/django/":                                      "django",
		"http://pypi.python.org/pypi?name=django&:action=display":              "django",
		"http://pypi.python.org/pypi/?:action=display&name=django&version=1.2": "django",
		"http://pypi.python.org/pypi?:action=display;name=django":              "django",
		"http://pypi.python.org/pypi?:action=display&amp;name=django":          "django",
		"https://pypi.org/project/django/#history":                             "django",
		"https://pypi.org/project/django/?next=https://example.org/":           "django",
		"pypi.org/project/django?next=https://example.org/":                    "django",
		"https://pypi.org//project//django//":                                  "django",
		" \t\n\ufeffhttps://pypi.org/project/django/\u200b \r\n":               "django",
		"https://pypi.org/project/django%20/":                                  "django",
		"https://someone:secret@pypi.org/project/django/":                      "django",
		"django":            "django",
		" Django_CMS ":      "Django_CMS",
		"backports.ssl":     "backports.ssl",
		"0":                 "0",
		"https":             "https",
		"pypi.org/pypi/a.b": "a.b",
	} {
		got, err := ParseURL(raw)
		if err != nil || got != want {
			t.Errorf("ParseURL(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, raw := range []string{"", " \t\n", "\ufeff"} {
		if _, err := ParseURL(raw); !errors.Is(err, ErrNoURL) {
			t.Errorf("ParseURL(%q): %v; want ErrNoURL", raw, err)
		}
	}
	for raw, reason := range map[string]string{
		"https://test.pypi.org/project/django/":            "TestPyPI",
		"test.pypi.org":                                    "TestPyPI",
		"https://testpypi.python.org/pypi/django":          "TestPyPI",
		"https://github.com/django/django":                 "not an address of PyPI",
		"https://pypi.org.example.com/project/django":      "not an address of PyPI",
		"https://pypi.org:8080/project/django":             "not an address of PyPI",
		"https://evil.example/?x=@pypi.org/project/django": "not an address of PyPI",
		"https://pypi.org@evil.example/project/django":     "not an address of PyPI",
		"django/":                                           "not an address of PyPI",
		"mailto:me@example.org":                             "not an address of PyPI",
		"pypi.org":                                          "names no project",
		"https://pypi.org/":                                 "names no project",
		"https://pypi.org/project/":                         "names no project",
		"https://pypi.org/pypi?:action=browse":              "names no project",
		"https://pypi.org/search/?name=django":              "names no project",
		"https://pypi.org/user/me/":                         "names no project",
		"https://pypi.org/project/-django/":                 "not a valid project name",
		"https://pypi.org/project/d%C3%A4ngo/":              "not a valid project name",
		"https://pypi.org/project/a%2Fb c/":                 "", // "a"
		"django==4.2":                                       "not a valid project name",
		"two words":                                         "not a valid project name",
		"_django":                                           "not a valid project name",
		"ftp://pypi.org/project/django":                     "not an http or https",
		"git+https://pypi.org/project/django":               "not an http or https",
		"https://pypi.org:port/project/django":              "not a readable address",
		"https://pypi.org/project/%zz/":                     "not a readable address",
		"https://someone:CANARY@example.org/project/django": "not an address of PyPI",
		"someone:CANARY@example.org/project/django":         "not an address of PyPI",
		"https://someone:CAN/ARY@pypi.org/project/django":   "not a readable address",
		"https://someone:12/CANARY@pypi.org/project/django": "not an address of PyPI",
		"https://someone:CANARY%zz@pypi.org/project/django": "not a readable address",
		"https://someone:a?CANARY@pypi.org/project/django":  "not a readable address",
		"https://pypi.org/search?token=CANARY":              "names no project",
		"ftp://someone:CANARY@pypi.org/project/django":      "not an http or https",
	} {
		name, err := ParseURL(raw)
		if reason == "" {
			if err != nil || name != "a" {
				t.Errorf("ParseURL(%q) = %q, %v", raw, name, err)
			}
			continue
		}
		var u *UnsupportedError
		if !errors.As(err, &u) {
			t.Errorf("ParseURL(%q) = %q, %v; want an UnsupportedError", raw, name, err)
			continue
		}
		if !strings.Contains(u.Reason, reason) {
			t.Errorf("ParseURL(%q): reason %q; want %q", raw, u.Reason, reason)
		}
		for _, secret := range []string{"CANARY", "CAN/", "someone"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("ParseURL(%q) repeats user information: %v", raw, err)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"Django": "django", "zope.interface": "zope-interface", "a_.-b": "a-b", "A--B": "a-b", "x": "x",
	} {
		if got := Normalize(name); got != want || !ValidName(name) {
			t.Errorf("Normalize(%q) = %q, valid %v; want %q", name, got, ValidName(name), want)
		}
	}
	for _, name := range []string{"", ".", "-a", "a-", "a b", "a/b", "ä", "a\n", "\u212a"} {
		if ValidName(name) {
			t.Errorf("ValidName(%q)", name)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"", "django", "https://pypi.org/project/django/4.2/", "pypi.python.org/pypi?name=x;:action=display",
		"https://a:b@pypi.org/p/x", "https://pypi.org/pypi/x/json#f", "//pypi.org/simple/x/", "http://[::1]/p/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := ParseURL(s)
		var u *UnsupportedError
		switch {
		case err == nil && !ValidName(name):
			t.Fatalf("ParseURL(%q) = %q, which is no name", s, name)
		case err != nil && (name != "" || !errors.Is(err, ErrNoURL) && !errors.As(err, &u)):
			t.Fatalf("ParseURL(%q) = %q, %v", s, name, err)
		}
		host := strings.ToLower(s)
		if ValidName(s) && !hosts[host] && !testHosts[host] && name != s {
			t.Fatalf("ParseURL(%q) = %q, %v; a bare name stands for itself", s, name, err)
		}
		if err == nil {
			if again, err := ParseURL("https://pypi.org/project/" + name + "/"); again != name {
				t.Fatalf("ParseURL of the canonical form of %q = %q, %v", name, again, err)
			}
		}
	})
}
