package strict

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// maxLine bounds a line of JSON, in bytes.
const maxLine = 1 << 20

// ReadLines reads JSON lines from src: one flat object on each line, whose values
// are scalars or lists of scalars. It calls object for each in turn; the Object is
// valid until that call returns. Blank lines are skipped. If there are no other
// lines, it adds the problem whenEmpty.
//
// It does not use encoding/json, which accepts duplicate keys and keys in another
// case, and stops at the first mistake on a line without giving its column.
func ReadLines(src io.Reader, whenEmpty string, ps *Problems, object func(*Object)) {
	in := bufio.NewReaderSize(src, maxLine+2) // with the line ending
	var o Object
	blank := true
	for number := 1; ; number++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			ps.Add(Position{number, 1}, "", "is a line of more than 1 MiB; write one entry a line")
			err = skipLine(in)
			blank = false
		} else {
			if number == 1 {
				line = bytes.TrimPrefix(line, []byte("\ufeff"))
			}
			line = bytes.TrimRight(line, "\r\n")
			if len(bytes.TrimSpace(line)) > 0 {
				blank = false
				if o.read(number, line, ps) {
					object(&o)
				}
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				ps.Add(Position{number, 1}, "", "cannot be read further: %s", Cause(err))
			}
			break
		}
	}
	if blank && ps.Empty() {
		ps.Add(Position{1, 1}, "", "%s", whenEmpty)
	}
}

// skipLine reads up to the end of a line.
func skipLine(in *bufio.Reader) error {
	for {
		if _, err := in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// Object is a flat JSON object (RFC 8259) on a line of its own.
type Object struct {
	At Position // of its opening brace

	line   int
	text   []byte
	pos    int // index of the next byte; after an error, of the mistake
	fields []field
}

// field is a key of an object and its value.
type field struct {
	key    []byte // valid until the next line
	keyAt  Position
	twice  bool   // an earlier field has the same key
	value  Scalar // unless isList
	isList bool
	list   []Scalar // value.At is where it starts
}

// maxFields bounds the keys of an object. No entry has more than a quarter of that.
const maxFields = 64

// find returns the first field with a key, or nil.
func (o *Object) find(key string) *field {
	for i := range o.fields {
		if f := &o.fields[i]; string(f.key) == key {
			return f
		}
	}
	return nil
}

// Has reports whether the object has a key.
func (o *Object) Has(key string) bool { return o.find(key) != nil }

// Text returns the value of a key, if it is text.
func (o *Object) Text(key string) (text string, ok bool) {
	if f := o.find(key); f != nil && !f.isList && f.value.Kind == TextKind {
		return f.value.Text, true
	}
	return "", false
}

// Place returns where the value of a key stands. The object must have the key.
func (o *Object) Place(key string) Position { return o.find(key).value.At }

// Decode fills dst, a pointer to a struct with yaml tags, from the object. skip
// is a key that the caller handles itself. Problems are added under the key
// NAME.KEY, where name returns NAME, the name of the object.
func (o *Object) Decode(dst any, skip string, name func() string, ps *Problems) {
	v := reflect.ValueOf(dst).Elem()
	known := fieldsOf(v.Type())
	for i := range o.fields {
		f := &o.fields[i]
		key := string(f.key)
		if key == skip && !f.twice {
			continue
		}
		at, message := f.decode(known, v, skip)
		if message != "" {
			ps.Add(at, name()+"."+KeyLabel(key), "%s", message)
		}
	}
}

// decode stores the field's value in the field of v, or says what is wrong with it.
func (f *field) decode(known *fields, v reflect.Value, skip string) (at Position, message string) {
	if f.twice {
		return f.keyAt, "is given twice on this line; keep one of the two"
	}
	to, ok := known.lookup(v, string(f.key))
	if !ok {
		d := decoder{}
		return f.keyAt, d.unknownKey(string(f.key), append(known.keys[:len(known.keys):len(known.keys)], skip))
	}
	dst := to.Addr().Interface()
	switch {
	case !settable(dst):
		return f.decodeList(to)
	case f.isList:
		return f.value.At, "needs " + Wanted(dst) + ", not a list"
	}
	if err := SetScalar(dst, f.value); err != nil {
		return f.value.At, err.Error()
	}
	return Position{}, ""
}

func (f *field) decodeList(to reflect.Value) (at Position, message string) {
	if !f.isList {
		if f.value.Kind == NullKind {
			return Position{}, ""
		}
		return f.value.At, "needs a list such as [1, 2], not " + f.value.Kind.String()
	}
	to.Set(reflect.MakeSlice(to.Type(), len(f.list), len(f.list)))
	for i, s := range f.list {
		if err := SetScalar(to.Index(i).Addr().Interface(), s); err != nil {
			return s.At, "entry " + ItemLabel(i+1, "") + " " + err.Error()
		}
	}
	return Position{}, ""
}

func (o *Object) at(i int) Position { return Position{o.line, i + 1} }

// read reads the object on a line. If it cannot, it adds a problem and returns false.
func (o *Object) read(number int, line []byte, ps *Problems) bool {
	o.line, o.text, o.pos, o.fields = number, line, 0, o.fields[:0]
	o.At = o.at(max(bytes.IndexByte(line, '{'), 0))
	if i := invalidUTF8(line); i >= 0 {
		ps.Add(o.at(i), "", notUTF8)
		return false
	}
	if err := o.scan(); err != nil {
		ps.Add(o.at(o.pos), "", "is not a JSON object on a line of its own: %s", err)
		return false
	}
	return true
}

// scan reads the one object in o.text into o.fields.
func (o *Object) scan() error {
	if o.peek() != '{' {
		return errors.New("it does not start with {")
	}
	o.pos++
	if o.peek() == '}' {
		o.pos++
	} else {
		for more := true; more; {
			if err := o.field(); err != nil {
				return err
			}
			switch o.peek() {
			case ',':
			case '}':
				more = false
			default:
				return errors.New("a comma or } is missing here")
			}
			o.pos++
		}
	}
	if o.peek() != 0 || o.pos < len(o.text) {
		return errors.New("something follows the object; start a new line for each object")
	}
	return nil
}

// peek skips blanks and returns the byte at o.pos; 0 at the end.
func (o *Object) peek() byte {
	for o.pos < len(o.text) {
		switch c := o.text[o.pos]; c {
		case ' ', '\t', '\r', '\n':
			o.pos++
		default:
			return c
		}
	}
	return 0
}

func (o *Object) field() error {
	if len(o.fields) == maxFields {
		return fmt.Errorf("more than %d keys", maxFields)
	}
	if o.peek() != '"' {
		return errors.New("a key in double quotes is missing here")
	}
	f := field{keyAt: o.at(o.pos)}
	var err error
	if f.key, err = o.str(); err != nil {
		return err
	}
	for i := range o.fields {
		if string(o.fields[i].key) == string(f.key) {
			f.twice = true
		}
	}
	if o.peek() != ':' {
		return errors.New("a colon is missing here")
	}
	o.pos++
	if o.peek() != '[' {
		f.value, err = o.scalar()
	} else {
		f.value.At, f.isList = o.at(o.pos), true
		f.list, err = o.array()
	}
	o.fields = append(o.fields, f)
	return err
}

func (o *Object) array() (list []Scalar, err error) {
	o.pos++
	if o.peek() == ']' {
		o.pos++
		return nil, nil
	}
	for {
		o.peek()
		item, err := o.scalar()
		if err != nil {
			return nil, err
		}
		list = append(list, item)
		c := o.peek()
		if c != ',' && c != ']' {
			return nil, errors.New("a comma or ] is missing here")
		}
		o.pos++
		if c == ']' {
			return list, nil
		}
	}
}

// scalar reads the scalar at o.pos.
func (o *Object) scalar() (Scalar, error) {
	v := Scalar{At: o.at(o.pos)}
	if o.pos < len(o.text) {
		switch o.text[o.pos] {
		case '"':
			b, err := o.str()
			v.Text = string(b)
			return v, err
		case '{', '[':
			return v, errors.New("an object or a list within a value has no place here")
		}
	}
	start := o.pos
	for o.pos < len(o.text) && isWordByte(o.text[o.pos]) {
		o.pos++
	}
	word := o.text[start:o.pos]
	switch string(word) {
	case "null":
		v.Kind = NullKind
	case "true", "false":
		v.Kind = BoolKind
	default:
		v.Kind = FloatKind
		if isDecimal(word) && word[0] != '+' {
			v.Kind = IntegerKind
		} else if !json.Valid(word) {
			o.pos = start
			return v, errors.New("a value is missing here: text in double quotes, a number, true, false, null or a list")
		}
	}
	v.Text = string(word)
	return v, nil
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

// str reads the string whose opening quote is at o.pos.
func (o *Object) str() ([]byte, error) {
	start, escaped := o.pos, false
	for o.pos++; o.pos < len(o.text); o.pos++ {
		switch c := o.text[o.pos]; {
		case c == '\\':
			escaped = true
			o.pos++
		case c < ' ':
			return nil, errors.New("text has a control character; write it as \\n, \\t or \\u00XX")
		case c == '"':
			o.pos++
			if !escaped {
				return o.text[start+1 : o.pos-1], nil
			}
			var text string
			if err := json.Unmarshal(o.text[start:o.pos], &text); err != nil {
				o.pos = start
				return nil, errors.New("text has an escape that JSON does not know")
			}
			return []byte(text), nil
		}
	}
	o.pos = start
	return nil, errors.New("text without its closing quote")
}
