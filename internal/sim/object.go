package sim

import "strconv"

// object writes JSON member by member, in the order of the real answers and much faster
// than encoding/json would.
type object struct{ buf []byte }

func (b *object) comma() {
	if n := len(b.buf); n > 0 && b.buf[n-1] != '{' && b.buf[n-1] != '[' && b.buf[n-1] != ':' {
		b.buf = append(b.buf, ',')
	}
}

func (b *object) open() {
	b.comma()
	b.buf = append(b.buf, '{')
}

func (b *object) close() { b.buf = append(b.buf, '}') }

func (b *object) key(k string) {
	b.comma()
	b.str(k)
	b.buf = append(b.buf, ':')
}

// add writes keys and values in turn.
func (b *object) add(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		b.key(pairs[i].(string))
		b.value(pairs[i+1])
	}
}

// array writes n elements. element writes one, and has to begin with a call of comma or
// open.
func (b *object) array(n int, element func(i int)) {
	b.comma()
	b.buf = append(b.buf, '[')
	for i := range n {
		element(i)
	}
	b.buf = append(b.buf, ']')
}

func (b *object) null() {
	b.comma()
	b.buf = append(b.buf, "null"...)
}

func (b *object) value(v any) {
	switch v := v.(type) {
	case string:
		b.str(v)
	case *string:
		if v == nil {
			b.null()
			return
		}
		b.str(*v)
	case int:
		b.buf = strconv.AppendInt(b.buf, int64(v), 10)
	case int64:
		b.buf = strconv.AppendInt(b.buf, v, 10)
	case bool:
		b.buf = strconv.AppendBool(b.buf, v)
	default:
		b.buf = append(b.buf, marshal(v)...)
	}
}

func (b *object) str(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b.buf = append(b.buf, marshal(s)...)
			return
		}
	}
	b.buf = append(b.buf, '"')
	b.buf = append(b.buf, s...)
	b.buf = append(b.buf, '"')
}
