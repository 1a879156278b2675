package daemon

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"

	"pkgmetad/fetcher"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
	"pkgmetad/internal/render"
	"pkgmetad/internal/strict"
)

// Client asks a running daemon through its control socket.
type Client struct{ http *http.Client }

// Dial returns a client of the daemon that serves cfg's store, or nil where none
// does.
func Dial(ctx context.Context, cfg *config.Config) *Client {
	c, err := dial(ctx, cfg)
	if err != nil {
		return nil
	}
	return c
}

// Reach is Dial for what only a daemon can do: that none serves the store, or that this
// user may not ask it, is an error.
func Reach(ctx context.Context, cfg *config.Config) (*Client, error) {
	c, err := dial(ctx, cfg)
	if err != nil {
		return nil, unanswered(cfg, err)
	}
	return c, nil
}

// unanswered says what it means that the control socket cannot be connected to.
func unanswered(cfg *config.Config, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("this user may not open the daemon's socket %s: run this as the daemon's user, or as root", controlPath(cfg))
	}
	return fmt.Errorf("no daemon serves %s; pkgmetad serve starts one, and a changed store.path takes a restart", cfg.Store.Path)
}

func dial(ctx context.Context, cfg *config.Config) (*Client, error) {
	connect := func(ctx context.Context, _, _ string) (net.Conn, error) {
		address, done, err := socketAddress(controlPath(cfg))
		if err != nil {
			return nil, err
		}
		defer done()
		return new(net.Dialer).DialContext(ctx, "unix", address)
	}
	conn, err := connect(ctx, "", "")
	if err != nil {
		return nil, err
	}
	_ = conn.Close()
	return &Client{&http.Client{Transport: &http.Transport{DialContext: connect, DisableKeepAlives: true}}}, nil
}

// Refresh has the daemon run a pass, calls progress after each source (some are left
// out where the caller is slow), and returns the report. Cancelling ctx ends the
// pass: the report says so, and the error is nil.
func (c *Client) Refresh(ctx context.Context, which Selection, progress func(fetcher.Progress)) (report record.Pass, err error) {
	body, err := json.Marshal(which)
	if err != nil {
		return report, err
	}
	resp, err := c.do(ctx, http.MethodPost, "refresh", body)
	if ctx.Err() != nil {
		return record.Pass{Cancelled: true}, nil
	}
	if err != nil {
		return report, err
	}
	defer resp.Body.Close()
	for events := json.NewDecoder(bufio.NewReader(resp.Body)); ; {
		var e refreshEvent
		if err := events.Decode(&e); err != nil {
			if ctx.Err() != nil {
				return record.Pass{Cancelled: true}, nil
			}
			return report, fmt.Errorf("the daemon went away before the pass ended: %w", err)
		}
		switch {
		case e.Progress != nil:
			progress(*e.Progress)
		case e.Error != "":
			return report, errors.New(e.Error)
		case e.Report != nil:
			return *e.Report, nil
		}
	}
}

// Show returns the package with that slug or id, and how the daemon renders it, or
// record.ErrNotFound.
func (c *Client) Show(ctx context.Context, key string) (p record.Package, rendering render.Rendering, err error) {
	resp, err := c.do(ctx, http.MethodGet, "show/"+url.PathEscape(key), nil)
	if err != nil {
		return p, rendering, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
		return p, rendering, fmt.Errorf("the daemon's answer broke off: %w", err)
	}
	rendering, err = render.Parse(resp.Header.Get(renderingHeader))
	return p, rendering, err
}

// Status returns what the daemon tells its operator.
func (c *Client) Status(ctx context.Context) (report Report, err error) {
	resp, err := c.do(ctx, http.MethodGet, "status", nil)
	if err != nil {
		return report, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		return report, fmt.Errorf("the daemon's answer broke off: %w", err)
	}
	return report, nil
}

// Reload has the daemon read configuration and catalogue again, see [Daemon.Reload].
func (c *Client) Reload(ctx context.Context, allowRemovals bool) error {
	return c.order(ctx, "reload", reloadRequest{allowRemovals})
}

// Pause keeps the daemon from beginning passes on schedule, until Resume or a restart.
func (c *Client) Pause(ctx context.Context) error { return c.order(ctx, "pause", struct{}{}) }

// Resume takes Pause back.
func (c *Client) Resume(ctx context.Context) error { return c.order(ctx, "resume", struct{}{}) }

// SetLogLevel has the daemon log what is of that level or above, until a reload.
func (c *Client) SetLogLevel(ctx context.Context, level string) error {
	return c.order(ctx, "log-level", levelRequest{level})
}

// Lift has the daemon ask the upstreams again, whatever keeps it from that, but for a
// budget that is used up.
func (c *Client) Lift(ctx context.Context) error { return c.order(ctx, "lift", struct{}{}) }

// order sends a request that is answered without a body.
func (c *Client) order(ctx context.Context, path string, request any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Backup writes a copy of the daemon's store to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, "backup", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, resp.Body)
	if err == nil && n != resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("copy the daemon's store: %w", err)
	}
	return nil
}

// Compact has the daemon compact its store, and returns its bytes before and after.
func (c *Client) Compact(ctx context.Context) (before, after int64, err error) {
	resp, err := c.do(ctx, http.MethodPost, "compact", nil)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	var done compacted
	if err := json.NewDecoder(resp.Body).Decode(&done); err != nil {
		return 0, 0, fmt.Errorf("the daemon's answer broke off: %w", err)
	}
	return done.Before, done.After, nil
}

// do sends a request. The answer is 200; any other is an error.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://daemon/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", strict.Cause(err))
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp, nil
	case http.StatusNotFound, http.StatusConflict: // its own words say it all
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		err = errors.New(string(bytes.TrimSpace(text)))
		if resp.StatusCode == http.StatusNotFound {
			err = &notFound{err.Error()}
		}
	default:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		err = fmt.Errorf("the daemon refused (%s): %s", resp.Status, bytes.TrimSpace(text))
	}
	_ = resp.Body.Close()
	return nil, err
}
