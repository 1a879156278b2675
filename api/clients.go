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

// forwarded returns the address that the proxies say r is from: in
// X-Forwarded-For, the last one that is none of theirs. Those before it may be
// anybody's invention. ok is false where r came from no proxy, or the header names
// no such address.
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

// network returns the address that a client is counted by: of an IPv6 address that
// of its /64, all of which one client has.
func network(addr netip.Addr) netip.Addr {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

// tickets bound how many requests of one client are answered at once.
type tickets struct {
	most int // 0 for no bound

	mu  sync.Mutex
	out map[netip.Addr]int // guarded by mu
}

// take reports whether client may have one more request answered. If so, call give
// when it has been.
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
