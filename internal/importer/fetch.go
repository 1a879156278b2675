package importer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"pkgmetad/internal/upstream"
)

const (
	pageTimeout  = 60 * time.Second // of one request, including its answer
	maxPage      = 64 << 20         // bytes of an answer, decoded
	maxWait      = 10 * time.Minute // that Retry-After may ask for
	maxTries     = 8                // of one page
	patience     = 2 * time.Minute  // how long after a failure it is tried again, where the site names no time
	firstBackoff = time.Second      // the first wait is random, up to this; the bound then doubles
	maxBackoff   = time.Minute
	notedWait    = 5 * time.Second // from here on, a wait is noted
)

// fetcher gets pages of one site, one at a time.
type fetcher struct {
	client *http.Client
	note   func(string)
}

func newFetcher(s *Site) (*fetcher, *url.URL, error) {
	transport := s.Transport
	if transport == nil {
		t := upstream.NewTransport()
		t.ResponseHeaderTimeout = pageTimeout
		transport = t
	}
	client, root, err := upstream.NewClient(upstream.Options{
		BaseURL: s.Root, UserAgent: s.UserAgent, Timeout: pageTimeout, MaxBody: maxPage, Transport: transport,
	})
	return &fetcher{client: client, note: s.note}, root, err
}

// get returns the body of the answer to u. It retries where that may help, and waits
// as long as the site asks, up to maxWait. The first failure is noted at once.
func (f *fetcher) get(ctx context.Context, u *url.URL) ([]byte, error) {
	var last error // why the last try failed
	tries := 0
	pause := newPause()
	body, err := backoff.Retry(ctx, func() ([]byte, error) {
		body, err := f.try(ctx, u)
		tries++
		last = err
		var e *upstream.Error
		switch {
		case err == nil || !errors.As(err, &e) || !e.Quick:
			return body, backoff.Permanent(err)
		case !e.RetryAt.IsZero():
			pause.until = time.Time{}
			return nil, &backoff.RetryAfterError{Duration: time.Until(e.RetryAt)}
		case pause.until.IsZero():
			pause.until = time.Now().Add(patience)
			f.note(fmt.Sprintf("%s; trying again until %s, Ctrl-C ends it", err, pause.until.Format(time.TimeOnly)))
		}
		return nil, err
	},
		backoff.WithBackOff(pause), backoff.WithMaxTries(maxTries), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(_ error, wait time.Duration) {
			if wait >= notedWait {
				f.note(fmt.Sprintf("%s; trying again in %s", last, wait.Round(time.Second)))
			}
		}),
	)
	if err != nil && last != nil {
		err = last
	}
	if err != nil && tries > 1 && ctx.Err() == nil {
		err = fmt.Errorf("%w; gave up after %d tries: run the same command again when the site answers", err, tries)
	}
	return body, err
}

// pause is the wait between two tries, unless the site names one: full jitter, so half the
// interval, plus or minus all of that half. It ends when the next try would begin after
// until; zero for never.
type pause struct {
	*backoff.ExponentialBackOff
	until time.Time
}

func newPause() *pause {
	return &pause{ExponentialBackOff: &backoff.ExponentialBackOff{
		InitialInterval: firstBackoff / 2, Multiplier: 2, MaxInterval: maxBackoff / 2, RandomizationFactor: 1,
	}}
}

func (p *pause) NextBackOff() time.Duration {
	next := p.ExponentialBackOff.NextBackOff()
	if !p.until.IsZero() && time.Now().Add(next).After(p.until) {
		return backoff.Stop
	}
	return next
}

// try asks for u once. Its error is an *upstream.Error, which is Quick if a retry may
// help.
func (f *fetcher) try(ctx context.Context, u *url.URL) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	resp, err := f.client.Do(r)
	if err != nil {
		return nil, f.broken(ctx, u, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refused(u, resp)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, f.broken(ctx, u, err)
	}
	if kind := resp.Header.Get("Content-Type"); !strings.Contains(kind, "json") {
		return nil, &upstream.Error{Outcome: upstream.Failed, URL: upstream.Redact(u), Message: fmt.Sprintf("the answer is %q, not JSON; it starts with %s", kind, start(body))}
	}
	return body, nil
}

// broken returns the error of a request without a complete answer. A retry does not
// help where the client itself refused, the name does not exist, or the certificate
// is invalid.
func (f *fetcher) broken(ctx context.Context, u *url.URL, err error) error {
	e := *upstream.Classify(ctx, u, err)
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	e.Quick = e.Err != nil && e.Outcome == upstream.Failed &&
		!(errors.As(err, &dns) && dns.IsNotFound) && !errors.As(err, &certificate)
	return &e
}

// refused returns the error of an answer with a status other than 200.
func refused(u *url.URL, resp *http.Response) error {
	e := &upstream.Error{Outcome: upstream.Failed, URL: upstream.Redact(u), Status: resp.StatusCode, Message: http.StatusText(resp.StatusCode)}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		e.Outcome, e.Message, e.Quick = upstream.Limited, "the site asks for fewer requests", true
	case resp.StatusCode >= 500:
		e.Message, e.Quick = "the site failed", true
	default:
		return e
	}
	now := time.Now()
	e.RetryAt = upstream.RetryAfter(resp.Header, now)
	if e.RetryAt.Sub(now) > maxWait {
		e.Quick = false
		e.Message += "; it asks for a longer pause than this command waits: run the command again then, and it resumes"
	}
	return e
}

// interrupted reports whether get failed because the site could not be reached, or is
// busy or down, rather than because of what it answered.
func interrupted(err error) bool {
	var e *upstream.Error
	return errors.As(err, &e) && (e.Err != nil || e.Status == http.StatusTooManyRequests || e.Status >= 500)
}

// start shows how a body begins.
func start(body []byte) string {
	return shortQuote(strings.TrimSpace(string(body[:min(len(body), 240)])))
}
