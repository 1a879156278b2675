package strict

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Kind is the type of a scalar by the rules of YAML or JSON.
type Kind int

const (
	TextKind Kind = iota // including times
	IntegerKind
	FloatKind
	BoolKind
	NullKind
)

func (k Kind) String() string {
	return [...]string{"text", "a number", "a number", "true or false", "nothing"}[k]
}

// Scalar is one value in a file that is neither a list nor a mapping.
type Scalar struct {
	Kind Kind
	Text string // without quotes and escapes
	At   Position

	bare bool // unquoted text
}

// ScalarUnmarshaler is a type with a syntax of its own. On an error, UnmarshalScalar
// leaves the value unchanged. The error says what to write instead, and does not
// repeat anything that may be a secret.
type ScalarUnmarshaler interface {
	UnmarshalScalar(Scalar) error
	Wanted() string // names the syntax, to follow "needs" in a message
}

// kinds are the kinds of unquoted values that are not text, by the tag that the
// parser gives them.
var kinds = map[string]Kind{"!!null": NullKind, "!!bool": BoolKind, "!!int": IntegerKind, "!!float": FloatKind}

// scalarOf returns the value of a node, if it is a scalar.
func scalarOf(n *yaml.Node) (s Scalar, ok bool) {
	if n.Kind != yaml.ScalarNode {
		return Scalar{}, false
	}
	kind := kinds[n.Tag] // text for any other tag
	return Scalar{Kind: kind, Text: n.Value, At: placeOf(n), bare: kind == TextKind && n.Style == 0}, true
}

// SetScalar stores s in *dst. dst is a [ScalarUnmarshaler] or a pointer to a
// string, *string (null becomes nil), int, bool, time.Duration, time.Time (RFC
// 3339 or a date; becomes UTC), *time.Location or netip.Prefix. On an error,
// which says what to write instead, *dst stays as it was.
func SetScalar(dst any, s Scalar) error {
	switch dst := dst.(type) {
	case ScalarUnmarshaler:
		return dst.UnmarshalScalar(s)
	case **string:
		if s.Kind == NullKind {
			*dst = nil
			return nil
		}
		text, err := s.AsText()
		if err == nil {
			*dst = &text
		}
		return err
	case *string:
		return assign(dst, s.AsText)
	case *int:
		return assign(dst, s.AsInt)
	case *bool:
		return assign(dst, s.asBool)
	case *time.Duration:
		return assign(dst, s.AsDuration)
	case *time.Time:
		return assign(dst, s.asTime)
	case **time.Location:
		return assign(dst, s.asZone)
	case *netip.Prefix:
		return assign(dst, s.asPrefix)
	}
	panic(fmt.Sprintf("SetScalar: %T is not settable", dst))
}

// assign leaves *dst, which may hold a default, unchanged if the conversion fails.
func assign[T any](dst *T, convert func() (T, error)) error {
	v, err := convert()
	if err == nil {
		*dst = v
	}
	return err
}

// Wanted names what SetScalar accepts for dst, to follow "needs" in a message.
func Wanted(dst any) string {
	switch dst := dst.(type) {
	case ScalarUnmarshaler:
		return dst.Wanted()
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

// AsText returns the value if it is text, which may be "".
func (s Scalar) AsText() (string, error) {
	switch {
	case s.Kind == TextKind:
		return s.Text, nil
	case s.Kind == NullKind:
		return "", errors.New("needs text; leave the key out, or write \"\" for an empty one")
	case len(s.Text) > 40:
		return "", errors.New("needs text; put quotes around it")
	}
	return "", fmt.Errorf("needs text; put quotes around it: %q", s.Text)
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

// AsInt returns the value if it is a whole number in plain decimal digits.
func (s Scalar) AsInt() (int, error) {
	switch {
	case isDecimal(s.Text) && (s.Kind == IntegerKind || s.Kind == FloatKind || s.bare): // YAML makes a large one a float
		n, err := strconv.ParseInt(s.Text, 10, 64)
		if err != nil {
			return 0, errors.New("is out of range; write a smaller number")
		}
		return int(n), nil
	case s.Kind == TextKind && isDecimal(s.Text):
		return 0, errors.New("needs a whole number; write it without quotes")
	}
	return 0, errors.New("needs a whole number; write it in plain decimal digits, such as 100")
}

func (s Scalar) asBool() (bool, error) {
	if s.Kind != BoolKind {
		return false, errors.New("needs true or false, without quotes")
	}
	return strings.EqualFold(s.Text, "true"), nil
}

// AsDuration returns the value if it is a number with a unit of time, or 0.
func (s Scalar) AsDuration() (time.Duration, error) {
	d, err := ParseDuration(s.Text)
	switch {
	case errors.Is(err, ErrTooLong):
		return 0, errors.New("is out of range; write a shorter duration")
	case s.Kind == IntegerKind && s.Text != "0":
		return 0, fmt.Errorf("needs a duration; give the number its unit, such as %ss or %[1]sm", s.Text)
	case err != nil:
		return 0, errors.New("needs a duration; write it like 30s, 5m or 24h")
	}
	return d, nil
}

// asTime reads RFC 3339 or a date. The result is in UTC, truncated to microseconds.
func (s Scalar) asTime() (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s.Text)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s.Text)
	}
	if err != nil || s.Kind != TextKind {
		return time.Time{}, errors.New("needs a time; write it like 2012-12-26T09:29:30Z, or as a date like 2012-12-26")
	}
	t = t.UTC().Truncate(time.Microsecond)
	// The zero time means "not given", and time.Time has no JSON form for years above 9999.
	if y := t.Year(); y < 1970 || y > 9999 {
		return time.Time{}, errors.New("needs a time between the years 1970 and 9999")
	}
	return t, nil
}

func (s Scalar) asZone() (*time.Location, error) {
	loc, err := time.LoadLocation(s.Text)
	if s.Kind != TextKind || s.Text == "" || s.Text == "Local" || err != nil {
		return nil, fmt.Errorf("%s is not a time zone; write UTC or an IANA name such as Europe/Berlin", Quote(s.Text))
	}
	return loc, nil
}

func (s Scalar) asPrefix() (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s.Text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s.Text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s is neither an address nor a network; write it like 10.0.0.1, 10.0.0.0/8 or fd00::/8", Quote(s.Text))
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%s has bits set beyond its prefix; did you mean %s", Quote(s.Text), p.Masked())
	}
	return p, nil
}

// ErrTooLong is the error of [ParseDuration] for a duration too long for a
// time.Duration, which holds 292 years.
var ErrTooLong = errors.New("the duration is too long")

var durationForm = regexp.MustCompile(`^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)

// ParseDuration is [time.ParseDuration], except that the error for a duration that
// is too long is ErrTooLong.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil && durationForm.MatchString(text) {
		return 0, ErrTooLong
	}
	return d, err
}

// FormatDuration is [time.Duration.String] without the units at the end that are zero:
// 24h, not 24h0m0s.
func FormatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
