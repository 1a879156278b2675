package upstream

import (
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// NewJSONDecoder returns a decoder that takes what the upstreams may send: where a
// member stands twice its user sees both, and bytes that are not UTF-8 become U+FFFD.
// It reads as the answer arrives.
func NewJSONDecoder(body io.Reader) *jsontext.Decoder {
	return jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// KindName returns the name of a kind of JSON value, for a person.
func KindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindBeginObject:
		return "object"
	case jsontext.KindBeginArray:
		return "array"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "bool"
	}
	return k.String() // "null", "string", "number"
}
