package api

import (
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDigits is the largest number of digits that Python's int() accepts.
const maxDigits = 4300

// parseInt reads a number as Python's int() does: white space around it, one
// sign, decimal digits of any script, and single underscores between digits.
func parseInt(s string) (*big.Int, bool) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	if negative || strings.HasPrefix(s, "+") {
		s = s[1:]
	}
	digits := make([]byte, 0, 20)
	afterDigit := false
	for _, r := range s {
		if r == '_' && afterDigit {
			afterDigit = false
			continue
		}
		d, ok := digit(r)
		if !ok || len(digits) == maxDigits {
			return nil, false
		}
		digits = append(digits, '0'+d)
		afterDigit = true
	}
	if !afterDigit { // nothing at all, or an underscore at the end
		return nil, false
	}
	n, ok := new(big.Int).SetString(string(digits), 10)
	if ok && negative {
		n.Neg(n)
	}
	return n, ok
}

// allDigits reports whether s has nothing but decimal digits.
func allDigits(s string) bool {
	for _, r := range s {
		if _, ok := digit(r); !ok {
			return false
		}
	}
	return true
}

// parseID reads s as an id; ok is false if no record can have it.
func parseID(s string) (id int, ok bool) {
	n, ok := parseInt(s)
	if !ok || n.Sign() <= 0 || !n.IsInt64() {
		return 0, false
	}
	return int(n.Int64()), true
}

// digit returns the value of a decimal digit of any script. Unicode keeps the
// ten digits of a script together, zero first, so a range of Nd starts with one.
func digit(r rune) (value byte, ok bool) {
	if r < utf8.RuneSelf {
		return byte(r) - '0', '0' <= r && r <= '9'
	}
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true
		}
	}
	return 0, false
}
