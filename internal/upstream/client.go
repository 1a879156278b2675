package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
)

// Options configures the HTTP client for one upstream.
type Options struct {
	BaseURL   string            // where the service lives; its scheme and host are the only ones ever asked
	UserAgent string            // names the program, its version and a contact
	Timeout   time.Duration     // for one request, body included; 0 means 30 s
	MaxBody   int64             // bytes of a decoded body; 0 means 8 MiB
	Transport http.RoundTripper // the wire; nil means NewTransport()
}

// ParseBaseURL reads the address of a service and makes sure that it ends in a
// slash, so that relative references resolve below it.
func ParseBaseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // the text of parse repeats the URL, secrets included
		}
		return nil, fmt.Errorf("it cannot be parsed: %w", err)
	case u.User != nil:
		return nil, errors.New("a base URL must not carry user information; give the token in a file or in the environment")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q is not an http or https URL", s)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%q names no host", s)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q has a query or a fragment", s)
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

// NewTransport returns a transport with bounds on everything a peer controls:
// header bytes, handshake time, idle connections. It leaves compression to
// [Gunzip].
func NewTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.MaxIdleConnsPerHost = 64
	t.MaxResponseHeaderBytes = 64 << 10
	t.ResponseHeaderTimeout = 30 * time.Second
	return t
}

// NewClient returns an HTTP client that identifies itself, asks the origin of its base
// URL only, redirects included, decodes gzip and bounds every body, decoded. So a
// Transport that adds a credential gives it to nobody else.
func NewClient(o Options) (*http.Client, *url.URL, error) {
	base, err := ParseBaseURL(o.BaseURL)
	if err != nil {
		return nil, nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 8 << 20
	}
	if o.Transport == nil {
		o.Transport = NewTransport()
	}
	o.Transport = Gunzip(o.Transport)
	c := &http.Client{
		Transport: &outgoing{o, base, newRooms()},
		Timeout:   o.Timeout,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			switch {
			case !sameOrigin(req.URL, base):
				return &Error{Outcome: Failed, URL: Redact(via[len(via)-1].URL), Message: fmt.Sprintf(
					"the answer redirects to %s://%s, away from the configured %s://%s; not followed", req.URL.Scheme, req.URL.Host, base.Scheme, base.Host)}
			case len(via) >= 5:
				return &Error{Outcome: Failed, URL: Redact(via[0].URL), Message: "more than 5 redirects in a row"}
			}
			return nil
		},
	}
	return c, base, nil
}

func sameOrigin(a, b *url.URL) bool {
	return strings.EqualFold(a.Scheme, b.Scheme) && strings.EqualFold(a.Host, b.Host)
}

// What bodies may take of memory, whatever peers send and however many requests are in
// flight: only so many may be beyond a size at once, the others wait until one has been
// read. Whoever has room for a large one has it for a smaller one as well, and waits for
// nothing but the next size: so none of them waits for another in a circle.
var roomBeyond = [...]struct{ size, bodies int64 }{{128 << 10, 32}, {1 << 20, 2}} // bytes

// rooms has a unit for each body beyond each of those sizes that is being read.
type rooms [len(roomBeyond)]*semaphore.Weighted

func newRooms() (r rooms) {
	for i, beyond := range roomBeyond {
		r[i] = semaphore.NewWeighted(beyond.bodies)
	}
	return r
}

// outgoing applies the rules that hold for every request of a client.
type outgoing struct {
	Options
	origin *url.URL
	rooms  rooms
}

func (t *outgoing) RoundTrip(req *http.Request) (*http.Response, error) {
	if !sameOrigin(req.URL, t.origin) {
		return nil, &Error{Outcome: Failed, URL: Redact(req.URL), Message: "not sent: outside the configured " + t.origin.Scheme + "://" + t.origin.Host}
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.UserAgent)
	resp, err := t.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	noteMove(req.Context(), resp.StatusCode)
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: t.MaxBody, max: t.MaxBody, url: req.URL, ctx: req.Context(), rooms: t.rooms}
	return resp, nil
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] calls: it reaches the
// wire through all that is above it.
func (t *outgoing) CloseIdleConnections() { CloseIdle(t.Transport) }

// CloseIdle closes the connections of a round tripper that no request uses, if it has any.
func CloseIdle(t http.RoundTripper) { (&http.Client{Transport: t}).CloseIdleConnections() }

// boundedBody fails at its bound. It does not just end there, or a body that was
// cut would look whole. One that turns out to be large waits for its turn.
type boundedBody struct {
	io.ReadCloser
	left, max int64
	url       *url.URL

	ctx   context.Context // of the request
	rooms rooms
	held  int // the first so many of rooms
}

func (b *boundedBody) Read(p []byte) (int, error) {
	for read := b.max - b.left; b.held < len(b.rooms); b.held++ {
		if upTo := roomBeyond[b.held].size - read; upTo > 0 {
			p = p[:min(int64(len(p)), upTo)]
			break
		}
		if err := b.rooms[b.held].Acquire(b.ctx, 1); err != nil {
			return 0, err
		}
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), &Error{Outcome: Failed, URL: Redact(b.url), Message: fmt.Sprintf("the answer is larger than %d MiB; not read further", b.max>>20)}
	}
	b.left -= int64(n)
	return n, err
}

func (b *boundedBody) Close() error {
	for ; b.held > 0; b.held-- {
		b.rooms[b.held-1].Release(1)
	}
	return b.ReadCloser.Close()
}

// DrainAndClose reads what is left of a short body, so that its connection can
// be used again, and closes it.
func DrainAndClose(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	_ = body.Close()
}

type moveKey struct{}

// Moves counts the redirects that one call followed.
type Moves struct{ Permanent, Temporary int }

// WithMoves returns a context under which a client of this package counts the
// redirects it sees in m. Each call needs an m of its own.
func WithMoves(ctx context.Context, m *Moves) context.Context {
	return context.WithValue(ctx, moveKey{}, m)
}

func noteMove(ctx context.Context, status int) {
	m, _ := ctx.Value(moveKey{}).(*Moves)
	if m == nil {
		return
	}
	switch status {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		m.Permanent++
	case http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect:
		m.Temporary++
	}
}

// UserAgent names the program to an upstream, with whom to write to, an address or a URL,
// and which of several hosts asks, by a name without white space, parentheses and
// semicolons; "" for none.
func UserAgent(version, contact, host string) string {
	var remarks []string
	if contact != "" {
		remarks = append(remarks, "+"+contact)
	}
	if host != "" {
		remarks = append(remarks, "host "+host)
	}
	if len(remarks) == 0 {
		return "pkgmetad/" + version
	}
	return "pkgmetad/" + version + " (" + strings.Join(remarks, "; ") + ")"
}
