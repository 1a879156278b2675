package pypi

import (
	"errors"
	"fmt"
	"io"
	"math"

	"pkgmetad/internal/upstream"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads a JSON answer as it arrives, in one pass: the parts that matter, while
// it keeps nothing of the rest. Its errors are [malformed], those of jsontext, and
// those of the body.
type reader struct {
	*jsontext.Decoder
	name []byte // of the latest member; reused
}

func newReader(body io.Reader) *reader { return &reader{Decoder: upstream.NewJSONDecoder(body)} }

// document reads the object that is the whole answer, see object.
func (r *reader) document(member func(name []byte) error) error {
	if kind := r.PeekKind(); kind != '{' && kind != jsontext.KindInvalid {
		return malformed("not a JSON object")
	}
	if _, err := r.object("", member); err != nil {
		return err
	}
	// Reading to the end shows a cut transfer and frees the connection.
	_, err := r.ReadToken()
	switch {
	case err == nil, errors.As(err, new(*jsontext.SyntacticError)):
		return malformed("something follows the JSON object")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// object calls member for each member of the object that is the next value. member
// reads or skips its value; its name is valid until the next read. found is false
// for null. Any other value is an error, which names it as what.
func (r *reader) object(what string, member func(name []byte) error) (found bool, err error) {
	if found, err = r.enter('{', what); !found {
		return false, err
	}
	for r.PeekKind() != '}' {
		quoted, err := r.ReadValue()
		if err != nil {
			return true, err
		}
		r.name, _ = jsontext.AppendUnquote(r.name[:0], quoted) // its one error is about UTF-8
		if err := member(r.name); err != nil {
			return true, err
		}
	}
	_, err = r.ReadToken()
	return true, err
}

// array calls element, which reads or skips its value, for each element of the array
// that is the next value. null counts as an array without elements. Any other value is
// an error, which names it as what.
func (r *reader) array(what string, element func() error) error {
	if found, err := r.enter('[', what); !found {
		return err
	}
	for r.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// enter reads the beginning of an object or array, or null: found is false then.
func (r *reader) enter(begin jsontext.Kind, what string) (found bool, err error) {
	kind := r.PeekKind()
	if kind != begin && kind != 'n' && kind != jsontext.KindInvalid {
		return false, malformed(fmt.Sprintf("%q holds a JSON %s", what, upstream.KindName(kind)))
	}
	_, err = r.ReadToken()
	return kind == begin && err == nil, err
}

// text reads the next value: a string, or "" for null. It skips any other, and
// returns its kind.
func (r *reader) text() (s string, other jsontext.Kind, err error) {
	switch kind := r.PeekKind(); kind {
	case '"':
		token, err := r.ReadToken()
		if err != nil {
			return "", 0, err
		}
		return token.String(), 0, nil
	case 'n':
		return "", 0, r.SkipValue()
	default:
		return "", kind, r.SkipValue()
	}
}

// field reads the next value into s where it is a string, and leaves "" where it is
// null or anything else: one field of a wrong type spoils no answer.
func (r *reader) field(s *string) (err error) {
	*s, _, err = r.text()
	return err
}

// required reads the next value into s where it is a string or null. Any other is an
// error, which names it as what.
func (r *reader) required(s *string, what string) error {
	text, other, err := r.text()
	if err == nil && other != 0 {
		return malformed(fmt.Sprintf("%q holds a JSON %s", what, upstream.KindName(other)))
	}
	*s = text
	return err
}

// fields reads the strings of the array that is the next value into s. It skips what
// is not a string, and any value that is not an array.
func (r *reader) fields(s *[]string) error {
	*s = nil
	if r.PeekKind() != '[' {
		return r.SkipValue()
	}
	return r.array("", func() error {
		text, other, err := r.text()
		if other == 0 && err == nil {
			*s = append(*s, text)
		}
		return err
	})
}

// labels reads the members of the object that is the next value into m where they are
// strings. It skips any value that is not an object.
func (r *reader) labels(m *map[string]string) error {
	*m = map[string]string{}
	if r.PeekKind() != '{' {
		return r.SkipValue()
	}
	_, err := r.object("", func(name []byte) error {
		label := string(name)
		text, other, err := r.text()
		if other == 0 && err == nil {
			(*m)[label] = text
		}
		return err
	})
	return err
}

// maxNumber is the largest whole number that every JSON reader represents exactly. No
// serial comes near it.
const maxNumber = 1 << 53

// number reads the next value into n where it is a whole number from 0 to maxNumber,
// and skips any other.
func (r *reader) number(n *int64) error {
	if r.PeekKind() != '0' {
		return r.SkipValue()
	}
	token, err := r.ReadToken()
	if err != nil {
		return err
	}
	if f, err := token.Float(); err == nil && f == math.Trunc(f) && f >= 0 && f <= maxNumber {
		*n = int64(f)
	}
	return nil
}

// flag reads the next value into b: whether it is true.
func (r *reader) flag(b *bool) error {
	*b = r.PeekKind() == 't'
	return r.SkipValue()
}
