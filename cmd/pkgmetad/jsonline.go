package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

// jsonField is one key of an object and its value: a plain one, or a list of
// plain ones.
type jsonField struct {
	key    []byte // good until the next line
	keyAt  position
	twice  bool // an earlier field has the same key
	value  scalar
	isList bool
	list   []scalar // value.at is where it starts
}

// jsonScanner reads flat JSON objects (RFC 8259), one after the other, without
// giving up memory between them.
type jsonScanner struct {
	line   int
	text   []byte
	i      int // next byte; on an error, where it is
	fields []jsonField
}

// maxJSONFields is far above what any entry has keys.
const maxJSONFields = 64

func (s *jsonScanner) at(i int) position { return position{s.line, i + 1} }

// object reads the one object in text into s.fields.
func (s *jsonScanner) object(text []byte) error {
	s.text, s.i, s.fields = text, 0, s.fields[:0]
	if s.next() != '{' {
		return errors.New("it does not start with {")
	}
	s.i++
	if s.next() == '}' {
		s.i++
	} else {
		for more := true; more; {
			if err := s.field(); err != nil {
				return err
			}
			switch s.next() {
			case ',':
			case '}':
				more = false
			default:
				return errors.New("a comma or } is missing here")
			}
			s.i++
		}
	}
	if s.next() != 0 || s.i < len(s.text) {
		return errors.New("something follows the object; start a new line for each object")
	}
	return nil
}

// next skips blanks and returns the byte that follows them; 0 at the end.
func (s *jsonScanner) next() byte {
	for s.i < len(s.text) {
		switch c := s.text[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

func (s *jsonScanner) field() error {
	if len(s.fields) == maxJSONFields {
		return fmt.Errorf("more than %d keys", maxJSONFields)
	}
	if s.next() != '"' {
		return errors.New("a key in double quotes is missing here")
	}
	f := jsonField{keyAt: s.at(s.i)}
	var err error
	if f.key, err = s.str(); err != nil {
		return err
	}
	for i := range s.fields {
		if string(s.fields[i].key) == string(f.key) {
			f.twice = true
		}
	}
	if s.next() != ':' {
		return errors.New("a colon is missing here")
	}
	s.i++
	if s.next() != '[' {
		f.value, err = s.scalar()
	} else {
		f.value.at, f.isList = s.at(s.i), true
		f.list, err = s.array()
	}
	s.fields = append(s.fields, f)
	return err
}

func (s *jsonScanner) array() (list []scalar, err error) {
	s.i++
	if s.next() == ']' {
		s.i++
		return nil, nil
	}
	for {
		s.next()
		item, err := s.scalar()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
		c := s.next()
		if c != ',' && c != ']' {
			return nil, errors.New("a comma or ] is missing here")
		}
		s.i++
		if c == ']' {
			return list, nil
		}
	}
}

// scalar reads the plain value at s.i.
func (s *jsonScanner) scalar() (scalar, error) {
	v := scalar{at: s.at(s.i)}
	if s.i < len(s.text) {
		switch s.text[s.i] {
		case '"':
			b, err := s.str()
			v.text = string(b)
			return v, err
		case '{', '[':
			return v, errors.New("an object or a list within a value has no place here")
		}
	}
	start := s.i
	for s.i < len(s.text) && isWordByte(s.text[s.i]) {
		s.i++
	}
	word := s.text[start:s.i]
	switch string(word) {
	case "null":
		v.kind = nullKind
	case "true", "false":
		v.kind = boolKind
	default:
		v.kind = floatKind
		if isDecimal(word) && word[0] != '+' {
			v.kind = integerKind
		} else if !json.Valid(word) {
			s.i = start
			return v, errors.New("a value is missing here: text in double quotes, a number, true, false, null or a list")
		}
	}
	v.text = string(word)
	return v, nil
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

// str reads the string at s.i, which is a quote.
func (s *jsonScanner) str() ([]byte, error) {
	start, escaped := s.i, false
	for s.i++; s.i < len(s.text); s.i++ {
		switch c := s.text[s.i]; {
		case c == '\\':
			escaped = true
			s.i++
		case c < ' ':
			return nil, errors.New("a control character stands in text; write it as \\n, \\t or \\u00XX")
		case c == '"':
			s.i++
			if !escaped {
				return s.text[start+1 : s.i-1], nil
			}
			var text string
			if err := json.Unmarshal(s.text[start:s.i], &text); err != nil {
				s.i = start
				return nil, errors.New("text has an escape that JSON does not know")
			}
			return []byte(text), nil
		}
	}
	s.i = start
	return nil, errors.New("text without its closing quote")
}
