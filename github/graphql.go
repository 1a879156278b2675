package github

import "pkgmetad/internal/upstream"
import "context"

type Cost struct{ Requests, Points int }

func (c *Cost) add(d Cost) { c.Requests += d.Requests; c.Points += d.Points }

type queryAnswer struct{ Cost Cost }

func (a queryAnswer) errorAt(string) *upstream.Error { return nil }
func tooHeavy(*upstream.Error) bool                  { return false }
func (c *Client) query(ctx context.Context, q string, data any) (queryAnswer, *upstream.Error) {
	panic("x")
}
func (c *Client) Sweeps() bool { return false }
