package web

import (
	"strings"
	"testing"
)

func TestWebURL(t *testing.T) {
	for s, want := range map[string]bool{
		"https://example.com":         true,
		"HTTP://Example.com/a?b=c#d":  true,
		"https://example.com/é":       true,
		"https://[::1]:8080/":         true,
		"":                            false,
		"example.com":                 false,
		"//example.com":               false,
		"https://":                    false,
		"https:example.com":           false,
		"ftp://example.com":           false,
		"javascript:alert(1)":         false,
		" javascript:alert(1)":        false,
		"java\nscript:alert(1)":       false,
		"data:text/html,x":            false,
		"git@github.com:a/b.git":      false,
		"https://good.example@evil/":  false,
		"https://example.com/a b":     false,
		"https://example.com\\@evil/": false,
		"https://example.com/\x00":    false,
		"https://example.com/\xff":    false,
		"https://exa mple.com/%zz":    false,
	} {
		expected := ""
		if want {
			expected = s
		}
		if got := webURL(s); got != expected {
			t.Errorf("webURL(%q) = %q", s, got)
		}
	}
}

func TestTo(t *testing.T) {
	tests := []struct{ prefix, path, want string }{
		{"", "/api/v4/", "/api/v4/"},
		{"/p", "/api/v4/?a=b&c=%20", "/p/api/v4/?a=b&c=%20"},
		{"/p", "https://host.example/p/api/v4/packages/?limit=2", "/p/api/v4/packages/?limit=2"},
		{"", "https://host.example", "/"},
		{"", "https://host.example//evil.example/", "/evil.example/"},
		{"", "//evil.example/", "/evil.example/"},
		{"", `/\evil.example/`, "/evil.example/"},
		{"", "javascript:alert(1)", "/javascript:alert(1)"},
		{"", "", "/"},
	}
	for _, test := range tests {
		if got := (templateData{Frame: Frame{Prefix: test.prefix}}).To(test.path); got != test.want {
			t.Errorf("%q below %q is %q, want %q", test.path, test.prefix, got, test.want)
		}
	}
}

func TestOwn(t *testing.T) {
	v := templateData{Frame: Frame{Answer: &Answer{Base: "http://host.example"}}}
	for s, want := range map[string]string{
		"http://host.example/a/?b#c":         "/a/?b#c",
		"http://host.example":                "/",
		"http://host.example?a":              "/?a",
		"http://host.example.evil/":          "",
		"http://host.example:81/":            "",
		"http://host.example//evil.example/": "",
		"http://other.example/":              "",
	} {
		if got, ok := v.own(s); ok != (want != "") || ok && got != want {
			t.Errorf("own(%q) = %q, %v", s, got, ok)
		}
	}
}

func TestStatusOf(t *testing.T) {
	if got := (templateData{Frame: Frame{Prefix: "/p"}}).StatusOf("a/../b?c"); got != "/p/status/packages/a%2F..%2Fb%3Fc/" {
		t.Error(got)
	}
}

func TestBreaks(t *testing.T) {
	for _, test := range []struct{ address, want string }{
		{"", ""}, {"localhost", "localhost"}, {"github.com/a/b-c.git", "github|.com/|a/|b-c|.git"},
		{"e.org//x/?q=a&b#c", "e|.org//|x/|?q|=a|&b|#c"}, {"xn--é.org", "xn--é|.org"},
	} {
		if got := strings.Join(breaks(test.address), "|"); got != test.want {
			t.Errorf("%s breaks as %s, want %s", test.address, got, test.want)
		}
	}
}
