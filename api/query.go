package api

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A query is a query string read as Python's parse_qsl does: only "&" separates
// the fields, blank values are kept, and nothing in it is an error. The fields
// keep their order; a key may occur more than once.
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

// get returns the last value of a key.
func (q query) get(key string) (value string, ok bool) {
	for i := len(q) - 1; i >= 0; i-- {
		if q[i].key == key {
			return q[i].value, true
		}
	}
	return "", false
}

// without returns a copy of q without the given keys, with capacity to append them again.
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

// encode sorts q by key, keeping the order of equal keys, and writes it as
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

// unquotePlus is Python's unquote_plus: an invalid escape is kept as it is.
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

// replaceInvalid replaces what is not UTF-8 by U+FFFD: as in Python, one for each
// longest sequence of bytes that could have begun a character.
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
		// s[i-1] may begin a character that is cut short: skip the bytes that
		// could belong to it.
		for start := i - 1; i < len(s) && beginsRune(s[start:i+1]); i++ {
		}
	}
	return string(b)
}

// beginsRune reports whether s, two or more bytes, is an incomplete character.
// Whether it can be completed depends on its first two bytes alone.
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

// quote is Python's quote: it escapes all bytes but ASCII letters, digits, "_.-~"
// and those in safe.
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
