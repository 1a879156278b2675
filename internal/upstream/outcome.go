// Package upstream holds what the GitHub and PyPI clients have in common: names
// for the outcomes of a request, the errors that go with them, the rules that
// every outgoing request obeys (identity, token, redirects, bounds), and the gate
// that keeps requests back while a limit is in force.
//
// It knows nothing of either service. A client maps its service's answers to
// an [Outcome]; the fetcher decides from the Outcome alone.
package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Outcome says what became of a question put to an upstream.
type Outcome string

const (
	NotAsked  Outcome = ""          // no request was made for it
	Fresh     Outcome = "fresh"     // answered, with a value
	Unchanged Outcome = "unchanged" // answered: what the validator stands for is still current (304)
	Pending   Outcome = "pending"   // being computed there, ask again later (202)
	Doubtful  Outcome = "doubtful"  // answered, but other answers contradict it: not believed yet, ask again
	Stale     Outcome = "stale"     // answered with something older than what is known; keep that, ask again soon
	Empty     Outcome = "empty"     // answered: there is nothing (204, 409 of an empty repository)
	TooLarge  Outcome = "too large" // the upstream will never list this one; keep what is known
	Gone      Outcome = "gone"      // not there, or not for us (404, 410)
	Blocked   Outcome = "blocked"   // taken down by the upstream (451, 403 terms of service, quarantine)
	Limited   Outcome = "limited"   // refused for a limit that concerns every request; says when to go on
	Failed    Outcome = "failed"    // any other failure to answer
	Canceled  Outcome = "canceled"  // given up by us; says nothing about the upstream
)

// Answered reports whether the upstream gave a final answer that the caller can
// rely on, including "nothing new" and "there is nothing".
func (o Outcome) Answered() bool {
	switch o {
	case Fresh, Unchanged, Empty, TooLarge:
		return true
	}
	return false
}

// Error is the outcome of a request that brought no value. Its text names what
// was asked, what happened and, if there is something to do, what to do. It
// never holds a credential.
type Error struct {
	Outcome Outcome
	Method  string    // of the request; "" means GET
	URL     string    // what was asked, without query values or user information
	Status  int       // HTTP status; 0 if no answer arrived
	Message string    // what happened, for a person
	RetryAt time.Time // not before this; zero if the upstream named no time
	Quick   bool      // a passing fault: one more try at once is worth it
	Err     error     // the cause, if any
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.URL != "" {
		fmt.Fprintf(&b, "%s %s: ", cmp.Or(e.Method, "GET"), e.URL)
	}
	b.WriteString(e.Message)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if !e.RetryAt.IsZero() {
		fmt.Fprintf(&b, "; not before %s", e.RetryAt.UTC().Format(time.RFC3339))
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Classify turns the error of a round trip to u into an *Error. One that a
// transport made is returned as it is; failures of the network are named. It
// returns nil for a nil error.
func Classify(ctx context.Context, u *url.URL, err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	out := &Error{Outcome: Failed, URL: Redact(u), Err: err}
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case ctx.Err() != nil:
		out.Outcome, out.Message = Canceled, "given up: "+context.Cause(ctx).Error()
	case errors.As(err, &dns):
		out.Message = fmt.Sprintf("the name %s could not be resolved; is the network up?", dns.Name)
	case errors.As(err, &timeout) && timeout.Timeout():
		out.Message = "no complete answer within the time allowed"
	case errors.Is(err, syscall.ECONNREFUSED):
		out.Message = "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		out.Message, out.Quick = "the connection broke before the answer was complete", true
	default:
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the text of ue repeats the URL, query included
		}
		out.Message = err.Error()
	}
	return out
}

// Redact writes u for a log: no query, no user information.
func Redact(u *url.URL) string {
	if u == nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
