package api

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// An encoder appends one JSON document to a buffer, spelt as DRF's JSON
// renderer does: without any space, or indented; text beyond ASCII kept; only
// what JSON demands escaped, and the two line ends that JavaScript minds.
type encoder struct {
	buf     []byte
	compact []byte // scratch for what is to be indented
	indent  int    // spaces a level; 0 for the compact form
	depth   int    // of the innermost open object or array
	first   bool   // nothing stands in the innermost object or array yet
}

func (e *encoder) reset(indent int) {
	*e = encoder{buf: e.buf[:0], compact: e.compact[:0], indent: indent}
}

func (e *encoder) open(bracket byte) {
	e.buf = append(e.buf, bracket)
	e.depth++
	e.first = true
}

// close ends the innermost object or array. An empty one stays on its line.
func (e *encoder) close(bracket byte) {
	e.depth--
	if !e.first {
		e.newline()
	}
	e.first = false
	e.buf = append(e.buf, bracket)
}

// item begins the next element of an array.
func (e *encoder) item() {
	if e.first {
		e.first = false
	} else {
		e.buf = append(e.buf, ',')
	}
	e.newline()
}

// key begins the next member of an object. The name needs no escapes.
func (e *encoder) key(name string) {
	e.item()
	e.buf = append(e.buf, '"')
	e.buf = append(e.buf, name...)
	e.buf = append(e.buf, '"', ':')
	if e.indent > 0 {
		e.buf = append(e.buf, ' ')
	}
}

func (e *encoder) newline() {
	if e.indent == 0 {
		return
	}
	e.buf = append(e.buf, '\n')
	for range e.indent * e.depth {
		e.buf = append(e.buf, ' ')
	}
}

func (e *encoder) null()        { e.buf = append(e.buf, "null"...) }
func (e *encoder) int(n int)    { e.buf = strconv.AppendInt(e.buf, int64(n), 10) }
func (e *encoder) bool(v bool)  { e.buf = strconv.AppendBool(e.buf, v) }
func (e *encoder) str(s string) { e.buf = appendString(e.buf, s) }

// strOrNull writes null for nil, which is not the same as "".
func (e *encoder) strOrNull(s *string) {
	if s == nil {
		e.null()
		return
	}
	e.str(*s)
}

func (e *encoder) ints(ns []int) {
	e.open('[')
	for _, n := range ns {
		e.item()
		e.int(n)
	}
	e.close(']')
}

func (e *encoder) strings(ss ...string) {
	e.open('[')
	for _, s := range ss {
		e.item()
		e.str(s)
	}
	e.close(']')
}

// time writes t in a zone as ISO 8601, and null for the zero time.
func (e *encoder) time(t time.Time, zone *time.Location) {
	if t.IsZero() {
		e.null()
		return
	}
	e.buf = append(e.buf, '"')
	e.buf = appendTime(e.buf, t, zone)
	e.buf = append(e.buf, '"')
}

func (e *encoder) timeOrNull(t *time.Time, zone *time.Location) {
	if t == nil {
		e.null()
		return
	}
	e.time(*t, zone)
}

// appendString appends s quoted. Bytes that are no UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
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
		if c == 0xE2 { // U+2028 and U+2029 are E2 80 A8 and E2 80 A9
			if s[i+1] == 0x80 && s[i+2]|1 == 0xA9 {
				b = append(b, s[done:i]...)
				b = append(b, '\\', 'u', '2', '0', '2', '8'+s[i+2]&1)
				done = i + 3
			}
			i += 2
			continue
		}
		b = append(b, s[done:i]...)
		done = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}

// appendTime appends t in a zone as Python's datetime.isoformat does: six
// digits of microseconds or none, and the offset's seconds where it has any. As
// in DRF an offset of zero is Z.
func appendTime(b []byte, t time.Time, zone *time.Location) []byte {
	_, offset := t.In(zone).Zone()
	// The same clock read in UTC spares the zone lookups of Date and Clock.
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
