package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// movedMark is the query key of a project's URL after a redirect fault.
const movedMark = "moved"

// faulted applies the fault that is set, if any, and reports whether that has answered
// the request.
func (x *exchange) faulted() bool {
	f := x.w.faults.take(x)
	if f == "" {
		return false
	}
	if d, ok := f.delay(); ok {
		if x.endpoint == GraphQL { // which waits when it knows how long the query takes without
			x.slow = d
		} else {
			x.wait(d)
		}
		return false
	}
	if d, ok := f.lag(); ok {
		x.lag = d
		return false
	}
	for _, t := range table {
		if t.fault == f {
			return t.strike(x)
		}
	}
	x.send(http.StatusInternalServerError, "text/plain; charset=utf-8", fmt.Appendf(nil, "the world has no fault %q\n", string(f)))
	return true
}

func (x *exchange) contentType() string {
	if x.service == gitHub {
		return jsonType
	}
	return "application/json"
}

// status answers with {}, or without a body where HTTP allows none.
func status(code int) func(*exchange) bool {
	return func(x *exchange) bool {
		switch {
		case !x.charge(false):
		case code == http.StatusNoContent:
			x.send(code, "", nil)
		default:
			x.send(code, x.contentType(), []byte("{}"))
		}
		return true
	}
}

// message answers with an error in the form of the service.
func message(code int, text string) func(*exchange) bool {
	return func(x *exchange) bool {
		switch {
		case !x.charge(false):
		case x.service == gitHub:
			x.gitHubError(code, text, docs[x.endpoint], nil)
		case code < 500:
			x.send(code, "application/json", marshal(map[string]string{"message": text}))
		default:
			x.sendPage(code)
		}
		return true
	}
}

func page(code int) func(*exchange) bool {
	return func(x *exchange) bool {
		if x.charge(false) {
			x.sendPage(code)
		}
		return true
	}
}

func (x *exchange) sendPage(code int) {
	title := strconv.Itoa(code) + " " + http.StatusText(code)
	x.send(code, "text/html; charset=utf-8", []byte("<!DOCTYPE html>\n<html><head><title>"+title+"</title></head>\n<body><h1>"+title+"</h1><p>Sent by a proxy on the way.</p></body></html>\n"))
}

func moved(code int) func(*exchange) bool {
	return func(x *exchange) bool {
		if x.service == gitHub {
			x.movedTo(code)
			return true
		}
		if x.charge(false) {
			x.redirect(code, x.req.URL.EscapedPath()+"?"+movedMark+"=1", "text/plain; charset=utf-8", []byte(http.StatusText(code)+"\n"))
		}
		return true
	}
}

func (x *exchange) redirectLoop() bool {
	if x.charge(false) {
		x.redirect(http.StatusFound, x.req.URL.RequestURI(), "text/plain; charset=utf-8", []byte("Found\n"))
	}
	return true
}

func (x *exchange) redirectElsewhere() bool {
	if x.charge(false) {
		x.rw.Header()["Location"] = []string{"http://" + elsewhere + x.req.URL.RequestURI()}
		x.send(http.StatusMovedPermanently, "text/plain; charset=utf-8", []byte("Moved Permanently\n"))
	}
	return true
}

func (x *exchange) primaryFault() bool {
	if x.service == pyPI {
		return message(http.StatusForbidden, "Forbidden")(x)
	}
	if x.charge(false) {
		r, _ := x.w.spend(x.account, x.resource, 0)
		x.sendPrimaryLimit(r)
	}
	return true
}

// secondary answers that the secondary rate limit is exceeded.
func secondary(code int, retryAfter string) func(*exchange) bool {
	return func(x *exchange) bool {
		if !x.charge(false) {
			return true
		}
		switch retryAfter {
		case "":
		case "date":
			x.rw.Header()["Retry-After"] = []string{x.w.opt.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)}
		default:
			x.rw.Header()["Retry-After"] = []string{retryAfter}
		}
		if x.service == pyPI {
			x.sendPage(code)
			return true
		}
		x.gitHubError(code, secondaryMessage, secondaryDocs, nil)
		return true
	}
}

func blockedFor(reason string) func(*exchange) bool {
	return func(x *exchange) bool {
		x.blocked(reason)
		return true
	}
}

// halve has GraphQL leave out every second repository. It does nothing to REST.
func (x *exchange) halve() bool {
	x.partial = true
	return false
}

func retryLater(x *exchange) bool {
	x.rw.Header()["Retry-After"] = []string{"20"}
	return page(http.StatusServiceUnavailable)(x)
}

func (x *exchange) wrongTypes() bool {
	body := map[Endpoint]string{
		Repository:    `{"id":"seven","node_id":7,"full_name":{},"stargazers_count":"many","forks_count":[],"description":12,"archived":"no","pushed_at":true}`,
		Contributors:  `{"login":"not a list"}`,
		CommitList:    `{"sha":"not a list"}`,
		Participation: `{"all":"none","owner":{}}`,
		GraphQL:       `{"data":{"nodes":{"id":7},"repository":"none","rateLimit":[]},"errors":{}}`,
		ProjectJSON:   `{"info":[],"releases":7,"urls":"none","last_serial":"x"}`,
	}[x.endpoint]
	if body == "" {
		body = `{"meta":[],"name":7,"files":"none","projects":{"name":[]}}`
	}
	if x.charge(false) {
		contentType := x.contentType()
		if x.endpoint == Simple || x.endpoint == Index {
			contentType = simpleType
		}
		x.send(http.StatusOK, contentType, []byte(body))
	}
	return true
}

// bomb is 256 times one MiB of white space, each compressed as a gzip member: together
// they decompress as one stream, which might be the beginning of JSON.
var bomb = sync.OnceValue(func() []byte {
	return bytes.Repeat(compress(bytes.Repeat([]byte(" "), 1<<20)), 256)
})

func (x *exchange) gzipBomb() bool {
	if x.charge(false) {
		x.rw.Header()["Content-Encoding"] = []string{"gzip"}
		x.send(http.StatusOK, x.contentType(), bomb())
	}
	return true
}

func (x *exchange) endlessHeaders() bool {
	if !x.charge(false) {
		return true
	}
	x.raw(func(conn net.Conn) {
		var b strings.Builder
		b.WriteString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
		for i := 0; b.Len() < 1<<20; i++ {
			fmt.Fprintf(&b, "X-Filler-%d: %s\r\n", i, strings.Repeat("x", 1000))
		}
		_, _ = conn.Write([]byte(b.String())) // the client may rightly have disconnected
	})
	return true
}

func (x *exchange) reset() bool {
	if x.charge(false) {
		x.raw(resetConn)
	}
	return true
}

// resetConn turns the close that follows into a reset of the connection. In-memory
// connections do not know the difference.
func resetConn(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

const rawTimeout = 10 * time.Second // for a client that does not read

// raw hijacks the connection, lets f use it and closes it.
func (x *exchange) raw(f func(net.Conn)) {
	conn, _, err := http.NewResponseController(x.rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // not an HTTP/1 connection: the answer can only be aborted
	}
	defer conn.Close()
	defer context.AfterFunc(x.w.ctx, func() { _ = conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(rawTimeout))
	f(conn)
}

// cut is how the body of an answer is cut short.
type cut int

const (
	whole cut = iota
	stalled
	truncated
	resetLater
	broken
)

// cutting lets the regular answer follow, cut short.
func cutting(c cut) func(*exchange) bool {
	return func(x *exchange) bool {
		x.cut = c
		return false
	}
}

func (x *exchange) sendCut(status int, body []byte) {
	c, half := x.cut, body[:len(body)/2]
	x.cut = whole
	if c == broken {
		x.send(status, "", half)
		return
	}
	h := x.rw.Header()
	h["Content-Length"] = []string{strconv.Itoa(max(len(body), 2))} // more than will come
	if status == http.StatusNoContent {
		delete(h, "Content-Length")
	}
	x.status = status
	x.rw.WriteHeader(status)
	if c != resetLater {
		_, _ = x.rw.Write(half) // the client may have disconnected
	}
	if err := http.NewResponseController(x.rw).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return // the client has disconnected
	}
	switch c {
	case stalled:
		select {
		case <-x.req.Context().Done():
		case <-x.w.ctx.Done():
		}
	case resetLater:
		x.raw(resetConn)
		return
	}
	panic(http.ErrAbortHandler)
}
