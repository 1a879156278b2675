package cluster

import (
	"fmt"
	"strings"
)

const (
	recordPrefix = "pkg."               // + kind + "." + the rest of the name
	workPrefix   = "pkgmetad.work."     // + class + "." + key
	leasePrefix  = "pkgmetad.lease."    // + name
	hostPrefix   = "pkgmetad.host."     // + name
	tellPrefix   = "pkgmetad.announce." // + subject
)

// maxSubject is what servers take of a subject, with room for the rest of a line.
const maxSubject = 3500

// subject returns the subject of a record: the name up to its first "/", and the
// rest, each escaped to one token.
func subject(name string) string {
	kind, rest, parts := strings.Cut(name, "/")
	if !parts {
		return recordPrefix + escape(kind)
	}
	return recordPrefix + escape(kind) + "." + escape(rest)
}

// nameOf is the reverse of subject.
func nameOf(subject string) (string, error) {
	tokens, own := strings.CutPrefix(subject, recordPrefix)
	if !own {
		return "", fmt.Errorf("%q is not the subject of a record", subject)
	}
	kind, rest, parts := strings.Cut(tokens, ".")
	name, err := unescape(kind)
	if err == nil && parts {
		rest, err = unescape(rest)
		name += "/" + rest
	}
	if err != nil {
		return "", fmt.Errorf("subject %q: %w", subject, err)
	}
	return name, nil
}

// plain reports whether a character is its own escaped form.
func plain(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_'
}

// kept are the other characters that mean nothing in a subject, and that names
// are easier to read with.
const kept = "/:@+=,~!"

// escape turns any string into one token of a subject: bytes that mean something
// there, or that are not printable ASCII, become %XX, and nothing becomes "%".
func escape(s string) string {
	if s == "" {
		return "%"
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(rune(c)) || strings.IndexByte(kept, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unescape is the reverse of escape; it takes nothing that escape does not make.
func unescape(token string) (string, error) {
	if token == "%" {
		return "", nil
	}
	b := make([]byte, 0, len(token))
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c == '%' {
			if i+2 >= len(token) {
				return "", fmt.Errorf("token %q ends within an escape", token)
			}
			high, low := hexDigit(token[i+1]), hexDigit(token[i+2])
			if high < 0 || low < 0 {
				return "", fmt.Errorf("token %q has %q, which is no escape", token, token[i:i+3])
			}
			c, i = byte(high<<4|low), i+2
		}
		b = append(b, c)
	}
	if s := string(b); escape(s) == token {
		return s, nil
	}
	return "", fmt.Errorf("token %q is not how its name is escaped", token)
}

// hexDigit returns the value of an upper-case hexadecimal digit, or -1.
func hexDigit(c byte) int { return strings.IndexByte("0123456789ABCDEF", c) }
