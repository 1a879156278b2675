package render

import (
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// An Encoder appends one JSON document to a buffer, formatted as DRF's JSON
// renderer does: compact or indented; only what JSON requires is escaped, and
// U+2028 and U+2029, which older JavaScript does not allow in strings. The zero Encoder
// writes the compact form.
type Encoder struct {
	buf     []byte
	compact []byte // scratch space, for a template to be indented
	indent  int    // spaces a level; 0 for the compact form
	depth   int    // of the innermost open object or array
	first   bool   // the innermost object or array is still empty
	python  bool   // formatted as Python's json.dumps does
}

// Reset begins a new document in the same buffer, indented by so many spaces a
// level, 0 for the compact form.
func (e *Encoder) Reset(indent int) {
	*e = Encoder{buf: e.buf[:0], compact: e.compact[:0], indent: indent}
}

// ResetPython begins a new document in the same buffer, formatted as Python's json.dumps
// does by default: on one line, with a space after each comma and colon, and all that is
// not printable ASCII escaped.
func (e *Encoder) ResetPython() {
	e.Reset(0)
	e.python = true
}

// Bytes returns what has been written since the last Reset. It is valid until the
// next one.
func (e *Encoder) Bytes() []byte { return e.buf }

// Indent returns how many spaces a level the document is indented by.
func (e *Encoder) Indent() int { return e.indent }

// Open begins an object or an array: bracket is '{' or '['.
func (e *Encoder) Open(bracket byte) {
	e.buf = append(e.buf, bracket)
	e.depth++
	e.first = true
}

// Close ends the innermost object or array. An empty one stays on its line.
func (e *Encoder) Close(bracket byte) {
	e.depth--
	if !e.first {
		e.newline()
	}
	e.first = false
	e.buf = append(e.buf, bracket)
}

// Item begins the next element of an array.
func (e *Encoder) Item() {
	if e.first {
		e.first = false
	} else {
		e.buf = append(e.buf, ',')
		if e.python {
			e.buf = append(e.buf, ' ')
		}
	}
	e.newline()
}

// Key begins the next member of an object. The name must not need escaping.
func (e *Encoder) Key(name string) {
	e.Item()
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
	if e.indent > 0 || e.python {
		e.buf = append(e.buf, ' ')
	}
}

func (e *Encoder) newline() {
	if e.indent == 0 {
		return
	}
	e.buf = append(e.buf, '\n')
	for range e.indent * e.depth {
		e.buf = append(e.buf, ' ')
	}
}

func (e *Encoder) Null()         { e.buf = append(e.buf, "null"...) }
func (e *Encoder) Int(n int)     { e.buf = strconv.AppendInt(e.buf, int64(n), 10) }
func (e *Encoder) Uint(n uint64) { e.buf = strconv.AppendUint(e.buf, n, 10) }
func (e *Encoder) Bool(v bool)   { e.buf = strconv.AppendBool(e.buf, v) }

func (e *Encoder) String(s string) {
	if e.python {
		e.buf = appendASCII(e.buf, s)
		return
	}
	e.buf = appendString(e.buf, s)
}

// StringOrNull writes null for nil, which is not the same as "".
func (e *Encoder) StringOrNull(s *string) {
	if s == nil {
		e.Null()
		return
	}
	e.String(*s)
}

func (e *Encoder) Ints(ns []int) {
	e.Open('[')
	for _, n := range ns {
		e.Item()
		e.Int(n)
	}
	e.Close(']')
}

func (e *Encoder) Strings(ss ...string) {
	e.Open('[')
	for _, s := range ss {
		e.Item()
		e.String(s)
	}
	e.Close(']')
}

// Time writes t in a zone as ISO 8601, and null for the zero time.
func (e *Encoder) Time(t time.Time, zone *time.Location) {
	if t.IsZero() {
		e.Null()
		return
	}
	e.buf = append(e.buf, '"')
	e.buf = appendTime(e.buf, t, zone)
	e.buf = append(e.buf, '"')
}

func (e *Encoder) TimeOrNull(t *time.Time, zone *time.Location) {
	if t == nil {
		e.Null()
		return
	}
	e.Time(*t, zone)
}

// appendString appends s quoted. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	b = append(b, '"')
	done := 0 // s[:done] is in b
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != 0xE2 {
			continue
		}
		if c == 0xE2 { // the first byte of U+2028, U+2029 and other characters, all of three bytes
			if escape := lineEnds[s[i:i+3]]; escape != "" {
				b = append(b, s[done:i]...)
				b = append(b, escape...)
				done = i + 3
			}
			i += 2
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		b = appendEscape(b, rune(c))
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}

// appendASCII appends s quoted, with all that is not printable ASCII escaped: beyond
// U+FFFF as a pair of surrogates. Bytes that are not UTF-8 become U+FFFD.
func appendASCII(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0 // s[:done] is in b
	for i, r := range s {
		if ' ' <= r && r <= '~' && r != '"' && r != '\\' {
			continue
		}
		b = append(b, s[done:i]...)
		if r > 0xFFFF {
			high, low := utf16.EncodeRune(r)
			b = appendEscape(appendEscape(b, high), low)
		} else {
			b = appendEscape(b, r)
		}
		_, width := utf8.DecodeRuneInString(s[i:])
		done = i + width
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}

// appendEscape appends the escape of one unit of UTF-16, the short one if there is one.
func appendEscape(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	}
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// lineEnds are the line terminators of JavaScript that JSON allows in strings.
var lineEnds = map[string]string{"\u2028": `\u2028`, "\u2029": `\u2029`}

// appendTime appends t in a zone as Python's datetime.isoformat does: six
// digits of microseconds or none, and the offset's seconds where it has any. As
// in DRF an offset of zero is Z.
func appendTime(b []byte, t time.Time, zone *time.Location) []byte {
	_, offset := t.In(zone).Zone()
	// Shifting the time in UTC spares Date and Clock a zone lookup each.
	t = t.UTC().Add(time.Duration(offset) * time.Second)
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = appendPadded(b, year, 4)
	b = append(b, '-')
	b = appendPadded(b, int(month), 2)
	b = append(b, '-')
	b = appendPadded(b, day, 2)
	b = append(b, 'T')
	b = appendPadded(b, hour, 2)
	b = append(b, ':')
	b = appendPadded(b, minute, 2)
	b = append(b, ':')
	b = appendPadded(b, second, 2)
	if micros := t.Nanosecond() / 1000; micros != 0 {
		b = append(b, '.')
		b = appendPadded(b, micros, 6)
	}
	switch {
	case offset == 0:
		return append(b, 'Z')
	case offset < 0:
		b = append(b, '-')
		offset = -offset
	default:
		b = append(b, '+')
	}
	b = appendPadded(b, offset/3600, 2)
	b = append(b, ':')
	b = appendPadded(b, offset/60%60, 2)
	if s := offset % 60; s != 0 {
		b = append(b, ':')
		b = appendPadded(b, s, 2)
	}
	return b
}

// appendPadded appends n, which is not negative, with at least width digits.
func appendPadded(b []byte, n, width int) []byte {
	for limit := 10; width > 1; width-- {
		if n < limit {
			for range width - 1 {
				b = append(b, '0')
			}
			break
		}
		limit *= 10
	}
	return strconv.AppendInt(b, int64(n), 10)
}
