package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

const (
	pingTimeout = 10 * time.Second
	pingBody    = 1 << 10 // bytes of the reason of a failure
)

// pinger tells a URL how each pass on schedule ended, as healthchecks.io takes it: a
// GET of the URL where it was well, else a POST to URL/fail with the reason. Should
// the URL not answer, no pass waits for it, and only what came last is told.
type pinger struct {
	to      func() *pingTarget // the one in force
	client  *http.Client
	log     zerolog.Logger
	ended   func(ok bool) // told of each ping
	results chan string   // what was wrong with a pass, "" for nothing; holds one
	failing bool          // the last ping was not delivered, which has been logged
}

// pingTarget is who is told; nil is nobody.
type pingTarget struct {
	url   *url.URL // a secret
	agent string
}

func newPingTarget(to config.Secret, agent string) (*pingTarget, error) {
	if to.Empty() {
		return nil, nil
	}
	u, err := url.Parse(to.Reveal())
	if err != nil {
		return nil, errors.New("the URL to ping is not a URL") // the text of err repeats it
	}
	return &pingTarget{u, agent}, nil
}

func newPinger(to func() *pingTarget, log zerolog.Logger, ended func(ok bool)) *pinger {
	return &pinger{
		to: to, log: log, ended: ended, results: make(chan string, 1),
		client: &http.Client{
			Transport: upstream.NewTransport(), Timeout: pingTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the URL would be its Referer
		},
	}
}

// tell has the result of a pass told, and does not wait for it. One goroutine at a
// time may call it.
func (p *pinger) tell(pass *record.Pass) {
	result := passResult(pass)
	if result == passCancelled {
		return
	}
	reason := ""
	if result != passOK {
		var reasons []string
		for _, r := range []string{pass.Error, pass.GitHub.Fault, pass.PyPI.Fault} {
			if r != "" {
				reasons = append(reasons, r)
			}
		}
		reason = strings.Join(reasons, "\n")
	}
	select {
	case <-p.results:
	default:
	}
	p.results <- reason
}

// run pings until ctx ends.
func (p *pinger) run(ctx context.Context) {
	defer p.client.CloseIdleConnections()
	for {
		select {
		case <-ctx.Done():
			return
		case reason := <-p.results:
			to := p.to()
			if to == nil {
				continue
			}
			err := p.ping(ctx, to, reason)
			if ctx.Err() != nil {
				return
			}
			p.ended(err == nil)
			p.note(err)
		}
	}
}

// ping tells the target once.
func (p *pinger) ping(ctx context.Context, to *pingTarget, reason string) error {
	method, address, body := http.MethodGet, to.url, io.Reader(http.NoBody)
	if reason != "" {
		method, address, body = http.MethodPost, to.url.JoinPath("fail"), strings.NewReader(reason[:min(len(reason), pingBody)])
	}
	r, err := http.NewRequestWithContext(ctx, method, address.String(), body)
	if err != nil {
		return errors.New("no request can be made to it")
	}
	r.Header.Set("User-Agent", to.agent)
	resp, err := p.client.Do(r)
	if err != nil {
		// What the error says of the network may name the host.
		return errors.New(strings.ReplaceAll(upstream.Classify(ctx, nil, err).Message, to.url.Hostname(), "its host"))
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return nil
}

// note logs when pings begin to fail, and when they are delivered again.
func (p *pinger) note(err error) {
	switch {
	case err != nil && !p.failing:
		p.log.Warn().Msg("the URL to ping (notify.ping_url_file) was not told how a pass ended: " + err.Error() + "; this is logged again when it works")
	case err == nil && p.failing:
		p.log.Info().Msg("the URL to ping (notify.ping_url_file) answers again")
	}
	p.failing = err != nil
}
