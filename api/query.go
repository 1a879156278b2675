package api

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A query is a query string read as Python's parse_qsl does: "&" alone parts
// the fields, blank values are kept, and nothing in it is an error. The fields
// stand in their order; a key may stand more than once.
type query []field

type field struct{ key, value string }

func parseQuery(raw string) query {
	if raw == "" {
		return nil
	}
	var q query
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		q = append(q, field{unquotePlus(key), unquotePlus(value)})
	}
	return q
}

// get returns the value of a key; of several, the last.
func (q query) get(key string) (value string, ok bool) {
	for i := len(q) - 1; i >= 0; i-- {
		if q[i].key == key {
			return q[i].value, true
		}
	}
	return "", false
}

// without returns a copy of q that has none of the keys, with room for as many.
func (q query) without(keys ...string) query {
	kept := make(query, 0, len(q)+len(keys))
fields:
	for _, f := range q {
		for _, key := range keys {
			if f.key == key {
				continue fields
			}
		}
		kept = append(kept, f)
	}
	return kept
}

// encode sorts q by key, equal keys staying in their order, and writes it as
// Python's urlencode does.
func (q query) encode() string {
	sort.SliceStable(q, func(i, j int) bool { return q[i].key < q[j].key })
	var b []byte
	for i, f := range q {
		if i > 0 {
			b = append(b, '&')
		}
		b = appendQuotePlus(b, f.key)
		b = append(b, '=')
		b = appendQuotePlus(b, f.value)
	}
	return string(b)
}

// unquotePlus is Python's unquote after "+" became a space: an escape that is
// none stands for itself.
func unquotePlus(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return replaceInvalid(s)
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			c, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
			b = append(b, byte(c))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return replaceInvalid(string(b))
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// replaceInvalid puts U+FFFD in the place of what is no UTF-8: as in Python,
// one for as many bytes as could have begun a character.
func replaceInvalid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b []byte
	for i := 0; i < len(s); {
		if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
			b = append(b, s[i:i+size]...)
			i += size
			continue
		}
		b = utf8.AppendRune(b, utf8.RuneError)
		i++
		// s[i-1] may begin a character of which a part is there: go on while
		// some continuation would still make it one.
		for start := i - 1; i < len(s) && beginsRune(s[start:i+1]); i++ {
		}
	}
	return string(b)
}

// beginsRune reports whether s, two bytes or more but no whole character,
// begins one. What can follow depends on the first two bytes alone.
func beginsRune(s string) bool {
	return utf8.ValidString(s+"\x80") || utf8.ValidString(s+"\x80\x80")
}

// appendQuotePlus is Python's quote_plus.
func appendQuotePlus(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' {
			b = append(b, '+')
		} else {
			b = appendQuoted(b, s[i], "")
		}
	}
	return b
}

// quote is Python's quote: it escapes all but letters, digits, "_.-~" and the
// bytes of safe.
func quote(s, safe string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		b = appendQuoted(b, s[i], safe)
	}
	return string(b)
}

func appendQuoted(b []byte, c byte, safe string) []byte {
	const hex = "0123456789ABCDEF"
	if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("_.-~", c) >= 0 || strings.IndexByte(safe, c) >= 0 {
		return append(b, c)
	}
	return append(b, '%', hex[c>>4], hex[c&15])
}
