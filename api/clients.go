package api

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// proxies are the peers whose X-Forwarded headers are believed.
type proxies []netip.Prefix

func (p proxies) has(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// sent reports whether r came from one of the proxies.
func (p proxies) sent(r *http.Request) bool {
	if len(p) == 0 {
		return false
	}
	peer, ok := parseAddr(r.RemoteAddr)
	return ok && p.has(peer)
}

// forwarded returns the client that the proxies forwarded r for: the last address in
// X-Forwarded-For that is not one of the proxies. Earlier ones may be forged. ok is
// false if r did not come from a proxy, or the header has no such address.
func (p proxies) forwarded(r *http.Request) (client netip.Addr, ok bool) {
	if !p.sent(r) {
		return client, false
	}
	list := strings.Join(r.Header["X-Forwarded-For"], ",")
	for more := true; more; {
		comma := strings.LastIndexByte(list, ',')
		more = comma >= 0
		client, ok = parseAddr(strings.TrimSpace(list[comma+1:]))
		if !ok || !p.has(client) {
			return client, ok
		}
		list = list[:max(comma, 0)]
	}
	return client, false
}

// parseAddr reads an IP address, with or without a port.
func parseAddr(s string) (addr netip.Addr, ok bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		var withPort netip.AddrPort
		withPort, err = netip.ParseAddrPort(s)
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), err == nil
}

// network returns the address that a client is counted by. For IPv6 it is that of the
// /64, since one client usually has all of it.
func network(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

// tickets limit how many requests of one client are answered at once.
type tickets struct {
	most int // 0 for no limit

	mu  sync.Mutex
	out map[netip.Addr]int // guarded by mu
}

// take reports whether one more request of client may be answered. If so, the caller
// calls give afterwards.
func (t *tickets) take(client netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.most > 0 && t.out[client] >= t.most {
		return false
	}
	if t.out == nil {
		t.out = map[netip.Addr]int{}
	}
	t.out[client]++
	return true
}

func (t *tickets) give(client netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out[client]--; t.out[client] == 0 {
		delete(t.out, client)
	}
}
