package strict

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// document is what the files of these tests hold.
type document struct {
	Title string         `yaml:"title"`
	Age   time.Duration  `yaml:"age"`
	Items []documentItem `yaml:"items"`
	Pair  struct {
		A int `yaml:"a"`
	} `yaml:"pair"`
	Sizes map[string]int `yaml:"sizes"`
}

type documentItem struct {
	Slug string `yaml:"slug"`
}

// decodeText decodes a file into a document and returns the error.
func decodeText(text string) (d document, err error) {
	var ps Problems
	DecodeYAML([]byte(text), &d, Options{WhenEmpty: "says nothing"}, &ps)
	return d, ps.Err("f", 10)
}

func TestDecodeYAML(t *testing.T) {
	want := document{Title: "é\t😀/", Age: time.Minute, Items: []documentItem{{"a"}, {}, {"c"}}}
	want.Pair.A = 7
	for name, text := range map[string]string{
		"block":     "\ufeff# a comment\n---\ntitle: \"é\\t\\U0001F600/\"\nage: 1m\nitems:\n- slug: a\n-\n- {slug: c} # one\npair:\n    a: +7\n...\n",
		"CRLF":      "title: \"é\\t😀/\"\r\nage: 1m\r\nitems: [{slug: a}, {}, {slug: c}]\r\npair: {a: 7}\r\n",
		"JSON":      "{\"title\": \"\\u00e9\\t\\ud83d\\ude00\\/\",\n\t\"age\": \"1m\",\n\t\"items\": [{\"slug\": \"a\"}, {}, {\"slug\":\"c\"}],\n\t\"pair\": {\"a\":7}\n}",
		"multiline": "title:\n  \"é\\t\\\n  😀/\"\nage: 1m\nitems: [{slug: a},\n {}, {slug: c}]\npair: {a: 7,}\n",
	} {
		got, err := decodeText(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// TestYAMLProblems: what the parser complains about, or lets pass, at its place
// and in words for people.
func TestYAMLProblems(t *testing.T) {
	const hint = "; check the indentation (spaces, no tabs) and the quotes there"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":                {"", "f:1:1: says nothing"},
		"a comment":            {"# x\n", "f:1:1: says nothing"},
		"a marker":             {"---\n", "f:1:1: says nothing"},
		"no keys":              {"{}\n", "f:1:1: says nothing"},
		"second document":      {"title: a\n---\n", "f:2:1: a second document starts here; keep one document in the file"},
		"anchor and alias":     {"title: &x a\nitems: [{slug: *x}]\n", "f:1:8: " + noAnchors + "\nf:2:16: " + noAliases},
		"unknown alias":        {"title: *x\n", "f:1:8: " + noAliases},
		"alias as a key":       {"*x : a\n", "f:1:1: " + noAliases},
		"cron":                 {"é: */5 * * * *\n", "f:1:4: " + noAliases},
		"unnamed anchor":       {"title: & a\n", "f:1:8: " + noAnchors},
		"tag":                  {"title: !!str 1\n", "f:1:8: " + noTags},
		"tag of a mapping":     {"pair: !x\n  a: 1\n", "f:1:7: " + noTags},
		"bad tag":              {"title: !<\n", "f:1:8: " + noTags},
		"unknown tag handle":   {"title: !x!y 1\n", "f:1:8: " + noTags},
		"directive":            {"# x\n%YAML 1.1\n---\ntitle: a\n", "f:2:1: " + noDirectives},
		"merge key":            {"pair:\n  <<: {a: 1}\n", "f:2:3: " + noMergeKeys},
		"explicit key":         {"title: a\n? age\n: 1m\n", "f:2:1: " + noComplexKeys},
		"list as a key":        {"{[a]: 1}\n", "f:1:2: a mapping or a list cannot be a key; write key: value"},
		"tab":                  {"pair:\n\ta: 1\n", "f:2:1: is not YAML: there is a tab in the indentation" + hint},
		"tab after a value":    {"title: a\n\tage: 1m\n", "f:2:1: is not YAML: there is a tab in the indentation" + hint},
		"at sign":              {"title: @a\n", "f:1:8: is not YAML: no value can start with this character" + hint},
		"unclosed quote":       {"age: 1m\ntitle: \"CANARY\n", "f:2:8: is not YAML: the text has no closing quote" + hint},
		"unclosed brace":       {"age: 1m\npair: {a: 1\n\n", "f:2:7: is not YAML: a comma or } is missing" + hint},
		"missing comma":        {"items: [{slug: a} {slug: b}]\nage: 1m\n", "f:1:19: is not YAML: a comma or ] is missing" + hint},
		"indented too far":     {"pair:\n    a: 1\n  b: 2\n", "f:3:3: is not YAML: a key is missing here, or the line is indented too far or not far enough" + hint},
		"two colons":           {"title: a: b\n", "f:1:9: is not YAML: a colon after a key is not allowed here" + hint},
		"escape":               {"title: \"\\q CANARY\"\n", "f:1:9: is not YAML: the text has an escape that YAML does not know" + hint},
		"half a pair":          {"title: \"\\ud83d\"\n", "f:1:11: is not YAML: the text has an escape that stands for no character" + hint},
		"an escaped pair":      {"title: \"\\\\ud83d\\\\ude00 \\ud83d\\ude00 \\q\"\n", "f:1:35: is not YAML: the text has an escape that YAML does not know" + hint},
		"an escaped high half": {"title: \"\\\\ud83d\\ude00\"\n", "f:1:18: is not YAML: the text has an escape that stands for no character" + hint},
		"control character":    {"age: 1m\ntitle: é\x01\n", "f:2:9: is not YAML: there is a control character here" + hint},
		"a list for a map":     {"sizes: [1]\n", "f:1:8: sizes: needs names with a value each, written like name: value, not a list"},
		"a value in a map":     {"sizes:\n  one: x\n  two:\n", "f:2:8: sizes.one: needs a whole number; write it in plain decimal digits, such as 100\nf:3:3: sizes.two: needs a whole number; write it in plain decimal digits, such as 100"},
		"a name given twice":   {"sizes: {a: 1, a: 2}\n", "f:1:15: sizes.a: is already given on line 1; keep one of the two"},
		"given twice":          {"title: a\n\ntitle: b\n", "f:3:1: title: is already given on line 1; keep one of the two"},
		"columns are letters":  {"{title: \"日本\", titel: 1}\n", "f:1:15: titel: is not a key; did you mean title?"},
		"too long":             {"age: 9999999h\n", "f:1:6: age: is out of range; write a shorter duration"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeText(tt.text)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestMap(t *testing.T) {
	var d document
	var ps Problems
	positions := make(map[any]Position)
	DecodeYAML([]byte("sizes:\n  one: 1\n  \"2 é\": 2\n"), &d, Options{Positions: positions}, &ps)
	if err := ps.Err("f", 10); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"one": 1, "2 é": 2}, d.Sizes); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for entry, want := range map[Entry]Position{
		{Map: &d.Sizes, Key: "one"}:              {2, 8},
		{Map: &d.Sizes, Key: "2 é", OfKey: true}: {3, 3},
		{Map: &d.Sizes, Key: "2 é"}:              {3, 10},
	} {
		if got := positions[entry]; got != want {
			t.Errorf("%+v is at %v, not %v", entry, got, want)
		}
	}
}

// TestYAMLBounds: what would cost a parser its stack, or hours.
func TestYAMLBounds(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"brackets":  {strings.Repeat("[", 1<<16), "nested more than 32 levels"},
		"dashes":    {strings.Repeat("- ", 1<<16), "nested more than 32 levels"},
		"objects":   {strings.Repeat("{a: ", 1<<16), "nested more than 32 levels"},
		"keys":      {strings.Repeat("a: 1\n", 1<<16), "a: is not a key"},
		"items":     {"items:\n" + strings.Repeat("-\n", 1<<16) + "- 1\n", "items[#65537]: needs the keys slug"},
		"flow keys": {"items: [" + strings.Repeat("{slug},", 1<<15) + "]", "items[#1].slug: needs text"},
		"aliases":   {"a: &a [x]\nb: [" + strings.Repeat("*a,", 1<<16) + "]", noAnchors},
		"lines":     {"items:\n" + strings.Repeat("-\n", maxMarks), "f:600001:2: more than 600000 lines, commas and brackets"},
		"commas":    {"items: [" + strings.Repeat("a,", maxMarks), "more than 600000 lines"},
		"braces":    {"items: [" + strings.Repeat("{}, ", maxMarks/2), "more than 600000 lines"},
		"documents": {strings.Repeat("---\n", 1<<16), "a second document"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeText(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %.300v, want one with %q", err, tt.want)
			}
		})
	}
}

func FuzzDecodeYAML(f *testing.F) {
	for _, text := range []string{"title: a\nitems: [{slug: b}, null]\n", "? a\n: b\n", "a: &a *a\n", "%YAML 1.1\n---\n", "- |\n x\n# y\n-\t'z\n'", "<<: !!x {[a]: b}"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := decodeText(text)
		if err != nil && strings.Count(err.Error(), "\n") > 10 {
			t.Errorf("a problem of more than one line:\n%s", err)
		}
	})
}
