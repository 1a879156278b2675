package config

import (
	"errors"
	"fmt"
	"io"

	"github.com/rs/zerolog"

	"pkgmetad/internal/strict"
)

const hidden = "***"

// Secret is text that no log, error or dump shows: however it is printed or
// marshalled, it is ***. Only [Secret.Reveal] returns the text.
type Secret struct {
	// A pointer, because fmt does not call the methods of values in unexported fields:
	// it then prints an address.
	text *string
}

// NewSecret hides s. The result is empty if s is "".
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal returns the text, for the one place that needs it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Empty reports whether there is no secret.
func (s Secret) Empty() bool { return s.text == nil }

func (Secret) String() string                            { return hidden }
func (Secret) GoString() string                          { return hidden }
func (Secret) Format(f fmt.State, _ rune)                { _, _ = io.WriteString(f, hidden) }
func (Secret) MarshalText() ([]byte, error)              { return []byte(hidden), nil }
func (Secret) MarshalJSON() ([]byte, error)              { return []byte(`"` + hidden + `"`), nil }
func (Secret) MarshalYAML() (any, error)                 { return hidden, nil }
func (Secret) MarshalZerologObject(event *zerolog.Event) { event.Str("secret", hidden) }

// Wanted implements [strict.ScalarUnmarshaler].
func (*Secret) Wanted() string { return "text" }

// UnmarshalScalar implements [strict.ScalarUnmarshaler].
func (s *Secret) UnmarshalScalar(value strict.Scalar) error {
	if value.Kind != strict.TextKind {
		return errors.New("needs text; put quotes around it")
	}
	*s = NewSecret(value.Text)
	return nil
}
