package api

import (
	"net/url"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestQuery holds queries as Python's parse_qs reads and urlencode writes them.
func TestQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"":                     "",
		"a":                    "a=",
		"a=&b":                 "a=&b=",
		"b=2&a=1&b=1":          "a=1&b=2&b=1",
		"x=a+b%20c":            "x=a+b+c",
		"x=%zz%4":              "x=%25zz%254",
		"x=%C3%BC&%C3%BC=1":    "x=%C3%BC&%C3%BC=1",
		"x=ü":                  "x=%C3%BC",
		"a;b=1;2":              "a%3Bb=1%3B2",
		"=v&=w":                "=v&=w",
		"a=b=c":                "a=b%3Dc",
		"&&a=1&":               "a=1",
		"x=~-._*()'!%2F/:@":    "x=~-._%2A%28%29%27%21%2F%2F%3A%40",
		"B=1&a=2&_=3":          "B=1&_=3&a=2",
		"x=%00":                "x=%00",
		"x=%FF%C3":             "x=%EF%BF%BD%EF%BF%BD",
		"x=%E2%82a":            "x=%EF%BF%BDa",
		"x=%F0%9F%9A":          "x=%EF%BF%BD",
		"x=%ED%A0%80":          "x=%EF%BF%BD%EF%BF%BD%EF%BF%BD",
		"x=%E2%82%E2%82%AC":    "x=%EF%BF%BD%E2%82%AC",
		"x=%F4%90%80%80":       "x=%EF%BF%BD%EF%BF%BD%EF%BF%BD%EF%BF%BD",
		"x=%C0%80":             "x=%EF%BF%BD%EF%BF%BD",
		"x=%F0%9F%41":          "x=%EF%BF%BDA",
		"x=%EF%BF%BD%EF%BF%BE": "x=%EF%BF%BD%EF%BF%BE",
	} {
		if got := parseQuery(raw).encode(); got != want {
			t.Errorf("%q became %q, want %q", raw, got, want)
		}
	}
}

// FuzzQuery: what is written reads back as the same fields, here and in
// net/url, and is plain ASCII.
func FuzzQuery(f *testing.F) {
	f.Add("limit=2&offset=1&foo=%C3%BC&foo=2")
	f.Add("a=%FF%E2%82&;=&=+%2")
	f.Fuzz(func(t *testing.T, raw string) {
		q := parseQuery(raw)
		for _, f := range q {
			if !utf8.ValidString(f.key) || !utf8.ValidString(f.value) {
				t.Fatalf("%q has the field %q", raw, f)
			}
		}
		want := slices.Clone(q)
		sort.SliceStable(want, func(i, j int) bool { return want[i].key < want[j].key })
		encoded := q.encode()
		if diff := cmp.Diff(want, parseQuery(encoded), cmp.AllowUnexported(field{})); diff != "" {
			t.Fatalf("%q became %q (-want +got):\n%s", raw, encoded, diff)
		}
		values, err := url.ParseQuery(encoded)
		if err != nil {
			t.Fatalf("%q became %q: %v", raw, encoded, err)
		}
		for _, f := range want {
			if !slices.Contains(values[f.key], f.value) {
				t.Fatalf("%q became %q without %q", raw, encoded, f)
			}
		}
		if strings.ContainsFunc(encoded, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
			t.Fatalf("%q became %q", raw, encoded)
		}
	})
}

// TestParseInt holds what Python's int() says of a string.
func TestParseInt(t *testing.T) {
	const none = "ValueError"
	for s, want := range map[string]string{
		"0": "0", "7": "7", "-0": "0", "-12": "-12", "+5": "5", "007": "7", "1_000": "1000", "1_0_0": "100",
		" 5": "5", "\t5\n": "5", "\v\f5": "5", "\u00a05": "5", "\u00855": "5", "5\u3000": "5", "\u202f5": "5",
		"٣": "3", "1_٣": "13", "𝟘𝟡": "9", "߉": "9",
		"": none, " ": none, "+": none, "-": none, "+-5": none, "+ 5": none, "5 5": none, "1__2": none, "_1": none,
		"1_": none, "+_1": none, "1.0": none, "1e3": none, "0x1": none, "²": none, "½": none, "\x1c5": none,
		"\x005": none, "5\x00": none, "\u200b5": none, "\xff": none,
		"123456789012345678901234567890":        "123456789012345678901234567890",
		strings.Repeat("1", maxDigits):          strings.Repeat("1", maxDigits),
		strings.Repeat("1", maxDigits+1):        none,
		strings.Repeat("1_", maxDigits-1) + "1": strings.Repeat("1", maxDigits),
	} {
		got := none
		if n, ok := parseInt(s); ok {
			got = n.String()
		}
		if got != want {
			t.Errorf("int(%q) = %.50s, want %.50s", s, got, want)
		}
	}
}
