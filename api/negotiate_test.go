package api

import (
	"errors"
	"testing"
)

func TestNegotiate(t *testing.T) {
	const page = -1 // for people
	tests := []struct {
		accept []string
		format string
		indent int
		want   error
	}{
		{nil, "", 0, nil},
		{nil, "json", 0, nil},
		{nil, "api", page, nil},
		{nil, "xml", 0, errNotFound},
		{nil, "JSON", 0, errNotFound},
		{[]string{""}, "", 0, errNotAcceptable},
		{[]string{"*/*"}, "", 0, nil},
		{[]string{"*"}, "", 0, errNotAcceptable},
		{[]string{"json"}, "", 0, errNotAcceptable},
		{[]string{"*/json"}, "", 0, nil},
		{[]string{"Application/JSON"}, "", 0, nil},
		{[]string{"application/json;q=0"}, "", 0, nil},
		{[]string{"application / json"}, "", 0, errNotAcceptable},
		{[]string{"application/jsonp"}, "", 0, errNotAcceptable},
		{[]string{"text/csv", "application/json"}, "", 0, nil},
		{[]string{"text/html"}, "", page, nil},
		{[]string{"text/*"}, "", page, nil},
		{[]string{"text/html"}, "json", 0, errNotAcceptable},
		{[]string{"text/html,*/*;q=0.8"}, "json", 0, nil},
		{[]string{"application/json"}, "api", 0, errNotAcceptable},

		{[]string{"application/json; indent=4"}, "", 4, nil},
		{[]string{"application/json;indent=1"}, "json", 1, nil},
		{[]string{"application/json ; INDENT = 2 "}, "", 2, nil},
		{[]string{`application/json; indent="3"`}, "", 3, nil},
		{[]string{"application/json; indent=0"}, "", 0, nil},
		{[]string{"application/json; indent=-1"}, "", 0, nil},
		{[]string{"application/json; indent=9"}, "", 8, nil},
		{[]string{"application/json; indent=99999999999999999999"}, "", 8, nil},
		{[]string{"application/json; indent=+0_5"}, "", 5, nil},
		{[]string{"application/json; indent=x"}, "", 0, nil},
		{[]string{"application/json; indent="}, "", 0, nil},
		{[]string{"application/json; indent"}, "", 0, nil},
		{[]string{"application/json; indent=2; indent=3"}, "", 3, nil},
		{[]string{"application/json; q=0.1; indent=4"}, "", 4, nil},
		{[]string{`application/json; x="a;indent=2"; indent=4`}, "", 4, nil},
		{[]string{`application/json; x="a\";indent=2"; indent=4`}, "", 4, nil},
		{[]string{`application/json; x="a;indent=2`}, "", 0, nil},
		{[]string{"application/json; charset=utf-8"}, "", 0, nil},
		{[]string{"*/*; indent=4"}, "", 4, nil},
		{[]string{"application/*;indent=4"}, "", 4, nil},
		{[]string{"text/*; indent=4"}, "", page, nil},

		// The more specific media type goes first; of two alike, JSON.
		{[]string{"*/*; indent=2, application/json"}, "", 0, nil},
		{[]string{"*/*, application/json; indent=2"}, "", 2, nil},
		{[]string{"application/json", "application/json; indent=2"}, "", 2, nil},
		{[]string{"text/html; level=1, application/json; indent=2"}, "", 2, nil},
		{[]string{"text/html; level=1, application/*; indent=2"}, "", page, nil},
		{[]string{"text/html, application/json; indent=2"}, "", 2, nil},
		{[]string{"text/html, */*; indent=2"}, "", page, nil},
		{[]string{"text/html, */*; indent=2"}, "json", 2, nil},
		{[]string{",,application/json; indent=2,"}, "", 2, nil},
	}
	for _, test := range tests {
		want := representation{indent: test.indent}
		if test.indent == page {
			want = representation{html: true}
		}
		got, err := negotiate(test.accept, test.format)
		if got != want || !errors.Is(err, test.want) {
			t.Errorf("negotiate(%q, %q) = %+v, %v, want %+v, %v", test.accept, test.format, got, err, want, test.want)
		}
	}
}
