package strict

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// readTitles reads JSON lines and returns the titles of their objects.
func readTitles(text string) (titles []string, err error) {
	var ps Problems
	ReadLines(strings.NewReader(text), "says nothing", &ps, func(o *Object) {
		var d document
		o.Decode(&d, "kind", func() string { return "object" }, &ps)
		titles = append(titles, d.Title)
	})
	return titles, ps.Err("f", 10)
}

func TestLineBound(t *testing.T) {
	line := func(size int) string {
		const frame = `{"title":""}`
		return `{"title":"` + strings.Repeat("x", size-len(frame)) + `"}`
	}
	if titles, err := readTitles(line(maxLine) + "\r\n"); err != nil || len(titles) != 1 {
		t.Errorf("1 MiB: %v", err)
	}
	_, err := readTitles(line(3*maxLine) + "\n{\"title\":\"b\"\n")
	want := "f:1:1: is a line of more than 1 MiB; write one entry a line\n" +
		"f:2:13: is not a JSON object on a line of its own: a comma or } is missing here"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestSkippedKeyGivenTwice(t *testing.T) {
	_, err := readTitles(`{"kind":"a","title":"x","kind":"b"}`)
	if want := "f:1:25: object.kind: is given twice on this line; keep one of the two"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// FuzzJSONObject holds the scanner against encoding/json: what one of them
// takes for a flat object, the other must take, with the same text.
func FuzzJSONObject(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":"b\u00e9\"","c":[1,-2.5e3,true,null],"d":0}`, `{"a":01}`, `{"a":+1}`, `{"a":1,}`, `{"a":"\ud83d"}`, "{\"a\":\"\x01\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if invalidUTF8(data) >= 0 {
			return
		}
		var s Object
		s.text = data
		err := s.scan()
		var std map[string]any
		stdErr := json.Unmarshal(data, &std)
		if err == nil && stdErr != nil {
			t.Fatalf("taken, but %v", stdErr)
		}
		if err != nil {
			if stdErr == nil && std != nil && len(std) < maxFields && !strings.Contains(err.Error(), "has no place here") && !strings.Contains(err.Error(), "more than") {
				t.Fatalf("refused, but JSON: %v", err)
			}
			return
		}
		for i := len(s.fields) - 1; i >= 0; i-- { // encoding/json keeps the last of two
			field := &s.fields[i]
			want, ok := std[string(field.key)]
			if !ok {
				t.Fatalf("no key %q", field.key)
			}
			if want, isText := want.(string); isText && !hasLater(s.fields[i+1:], field.key) && want != field.value.Text {
				t.Fatalf("%q is %q, want %q", field.key, field.value.Text, want)
			}
		}
	})
}

func hasLater(fields []field, key []byte) bool {
	for i := range fields {
		if bytes.Equal(fields[i].key, key) {
			return true
		}
	}
	return false
}
