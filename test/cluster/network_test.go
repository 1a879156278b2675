package cluster

import "testing"

type network struct{ outside string }

func newNetwork(t *testing.T) *network                      { t.Skip(); return nil }
func (n *network) address(i int) string                     { return "" }
func (n *network) host(t *testing.T, h *host, i int) string { return "" }
func (n *network) inside(h *host) []string                  { return nil }

type authority struct{}

func newAuthority(t *testing.T) *authority                        { return nil }
func (a *authority) write(t *testing.T, folder, cert, key string) {}
