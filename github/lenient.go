package github

import (
	"math"

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

// count is a whole number from 0 on that a float holds exactly; 0 for any other value.
type count int

func (c *count) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*c = 0
	if d.PeekKind() != '0' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	if f, err := token.Float(); err == nil && f >= 0 && f <= 1<<53 && f == math.Trunc(f) {
		*c = count(f)
	}
	return nil
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
