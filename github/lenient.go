package github

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// One field or element of a wrong type must not lose the rest of an answer. These
// types take it as missing; only what decides what the answer is about is of a type
// that fails.

// text is a string; "" for any other value.
type text string

func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*t = ""
	if d.PeekKind() != '"' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err == nil {
		*t = text(token.String())
	}
	return err
}

// flag is a boolean; false for any other value.
type flag bool

func (f *flag) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*f = d.PeekKind() == 't'
	return d.SkipValue()
}

// object is an object whose fields T declares; without any for any other value.
type object[T any] struct{ fields T }

func (o *object[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	o.fields = *new(T)
	if d.PeekKind() != '{' {
		return d.SkipValue()
	}
	return json.UnmarshalDecode(d, &o.fields)
}
