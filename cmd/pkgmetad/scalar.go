package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

type scalarKind int

const (
	textKind scalarKind = iota
	integerKind
	floatKind
	boolKind
	nullKind
)

func (k scalarKind) String() string {
	return [...]string{"text", "a number", "a number", "true or false", "nothing"}[k]
}

// scalar is one plain value as a YAML or JSON file has it.
type scalar struct {
	kind scalarKind
	text string // decoded where the file has it in quotes
	bare bool   // text without quotes
	at   position
}

// scalarUnmarshaler is a type with a form of its own.
type scalarUnmarshaler interface {
	unmarshalScalar(scalar) error
	wanted() string // for messages: "needs …"
}

// scalarOf returns the plain value of a node, if it is one.
func scalarOf(n ast.Node) (scalar, bool) {
	switch n := n.(type) {
	case nil:
		return scalar{kind: nullKind, at: position{1, 1}}, true
	case *ast.NullNode:
		return scalar{kind: nullKind, text: n.Token.Value, at: positionOf(n.Token)}, true
	case *ast.BoolNode:
		return scalar{kind: boolKind, text: n.Token.Value, at: positionOf(n.Token)}, true
	case *ast.IntegerNode:
		return scalar{kind: integerKind, text: n.Token.Value, at: positionOf(n.Token)}, true
	case *ast.FloatNode:
		return scalar{kind: floatKind, text: n.Token.Value, at: positionOf(n.Token)}, true
	case *ast.InfinityNode:
		return scalar{kind: floatKind, text: n.Token.Value, at: positionOf(n.Token)}, true
	case *ast.NanNode:
		return scalar{kind: floatKind, text: n.Token.Value, at: positionOf(n.Token)}, true
	case *ast.StringNode:
		return scalar{kind: textKind, text: n.Value, bare: n.Token.Type == token.StringType, at: positionOf(n.Token)}, true
	case *ast.LiteralNode:
		return scalar{kind: textKind, text: n.Value.Value, at: positionOf(n.Start)}, true
	}
	return scalar{}, false
}

// setScalar stores s in *dst, which must be settable; on an error *dst stays as
// it was. Errors say what to write, and only repeat what cannot be a secret.
func setScalar(dst any, s scalar) error {
	switch dst := dst.(type) {
	case scalarUnmarshaler:
		return dst.unmarshalScalar(s)
	case **string:
		if s.kind == nullKind {
			*dst = nil
			return nil
		}
		text, err := s.asText()
		if err == nil {
			*dst = &text
		}
		return err
	case *string:
		return assign(dst, s.asText)
	case *int:
		return assign(dst, s.asInt)
	case *bool:
		return assign(dst, s.asBool)
	case *time.Duration:
		return assign(dst, s.asDuration)
	case *time.Time:
		return assign(dst, s.asTime)
	case **time.Location:
		return assign(dst, s.asZone)
	case *netip.Prefix:
		return assign(dst, s.asPrefix)
	}
	panic(fmt.Sprintf("setScalar: %T is not settable", dst))
}

// assign leaves *dst, be it a default, as it is where the conversion fails.
func assign[T any](dst *T, convert func() (T, error)) error {
	v, err := convert()
	if err == nil {
		*dst = v
	}
	return err
}

// wanted names what a settable pointer takes.
func wanted(dst any) string {
	switch dst := dst.(type) {
	case scalarUnmarshaler:
		return dst.wanted()
	case *int:
		return "a whole number"
	case *bool:
		return "true or false"
	case *time.Duration:
		return "a duration such as 30s, 5m or 24h"
	case *time.Time:
		return "a time such as 2012-12-26T09:29:30Z"
	case **time.Location:
		return "an IANA time zone"
	case *netip.Prefix:
		return "an address or a network"
	}
	return "text"
}

func (s scalar) asText() (string, error) {
	switch {
	case s.kind == textKind:
		return s.text, nil
	case s.kind == nullKind:
		return "", errors.New("needs text; leave the key out, or write \"\" for an empty one")
	case len(s.text) > 40:
		return "", errors.New("needs text; put quotes around it")
	}
	return "", fmt.Errorf("needs text; put quotes around it: %q", s.text)
}

// isDecimal reports whether s is a whole number in plain decimal digits; a
// leading zero would make it octal to YAML.
func isDecimal[T string | []byte](s T) bool {
	digits := s
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		digits = s[1:]
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return len(digits) == 1 || len(digits) > 1 && digits[0] != '0'
}

func (s scalar) asInt() (int, error) {
	switch {
	case isDecimal(s.text) && (s.kind == integerKind || s.bare):
		n, err := strconv.ParseInt(s.text, 10, 64)
		if err != nil {
			return 0, errors.New("is out of range; write a smaller number")
		}
		return int(n), nil
	case s.kind == textKind && isDecimal(s.text):
		return 0, errors.New("needs a whole number; write it without quotes")
	}
	return 0, errors.New("needs a whole number; write it in plain decimal digits, such as 100")
}

func (s scalar) asBool() (bool, error) {
	if s.kind != boolKind {
		return false, errors.New("needs true or false, without quotes")
	}
	return strings.EqualFold(s.text, "true"), nil
}

func (s scalar) asDuration() (time.Duration, error) {
	d, err := time.ParseDuration(s.text)
	switch {
	case s.kind == integerKind && s.text != "0":
		return 0, fmt.Errorf("needs a duration; give the number its unit, such as %ss or %[1]sm", s.text)
	case err != nil:
		return 0, errors.New("needs a duration; write it like 30s, 5m or 24h")
	}
	return d, nil
}

// asTime reads RFC 3339 or a date; UTC, cut to microseconds.
func (s scalar) asTime() (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s.text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s.text)
	}
	if err != nil || s.kind != textKind {
		return time.Time{}, errors.New("needs a time; write it like 2012-12-26T09:29:30Z, or as a date like 2012-12-26")
	}
	t = t.UTC().Truncate(time.Microsecond)
	// The zero time means "not given", and JSON knows no year above 9999.
	if y := t.Year(); y < 1970 || y > 9999 {
		return time.Time{}, errors.New("needs a time between the years 1970 and 9999")
	}
	return t, nil
}

func (s scalar) asZone() (*time.Location, error) {
	loc, err := time.LoadLocation(s.text)
	if s.kind != textKind || s.text == "" || s.text == "Local" || err != nil {
		return nil, fmt.Errorf("%s is not a time zone; write UTC or an IANA name such as Europe/Berlin", shortQuote(s.text))
	}
	return loc, nil
}

func (s scalar) asPrefix() (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s.text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s.text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s is neither an address nor a network; write it like 10.0.0.1, 10.0.0.0/8 or fd00::/8", shortQuote(s.text))
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s has bits set beyond its prefix; did you mean %s", shortQuote(s.text), p.Masked())
	}
	return p, nil
}

// shortQuote repeats a value of the file in a message, within reason.
func shortQuote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}
