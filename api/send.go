package api

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/gzip"
)

// Caches may keep every answer, but must revalidate it before they use it again,
// which costs no more than a 304.
var (
	revalidate = []string{"public, no-cache"}
	noSniff    = []string{"nosniff"}
)

// gzipFrom is the length in bytes from which a body is worth compressing.
const gzipFrom = 1024

// send sends a complete answer; the caller has set its Content-Type. A success,
// other than to OPTIONS, gets a weak ETag and, unless changed is zero, a
// Last-Modified, and becomes a 304 if the client has it already.
func (a *api) send(w http.ResponseWriter, r *http.Request, status int, body []byte, changed time.Time) {
	h := w.Header()
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = revalidate
	if status == http.StatusOK && r.Method != http.MethodOptions {
		tag := entityTag(body)
		h["Etag"] = []string{tag}
		if !changed.IsZero() {
			modified, _ := lastModified(changed)
			h["Last-Modified"] = []string{modified.Format(http.TimeFormat)}
		}
		if unchanged(r, tag, changed) {
			delete(h, "Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if len(body) >= gzipFrom && prefersGzip(r.Header) {
		z := a.zippers.Get().(*zipper)
		defer a.zippers.Put(z)
		h["Content-Encoding"] = []string{"gzip"}
		body = z.zip(body)
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body) // an error means that the client has gone
	}
}

// entityTag returns the weak ETag of an uncompressed body. It stays the same
// across restarts.
func entityTag(body []byte) string {
	b := make([]byte, 0, 4+16)
	b = append(b, `W/"`...)
	b = strconv.AppendUint(b, xxhash.Sum64(body), 16)
	return string(append(b, '"'))
}

// lastModified returns the Last-Modified of something that changed at the given
// time: that time rounded up to a whole second, so that a change after it gets a
// later date. Until that second has come it must not be sent, and the result is the
// present second, with settled false: more changes may follow within it, so a
// client that sends it back in If-Modified-Since must get a full answer.
func lastModified(changed time.Time) (date time.Time, settled bool) {
	date = changed.Add(time.Second - 1).Truncate(time.Second).UTC()
	if now := time.Now().Truncate(time.Second); date.After(now) {
		return now.UTC(), false
	}
	return date, true
}

// unchanged reports whether the client of a GET or HEAD already has this answer
// (RFC 9110, 13.1). Its date counts only if it sent no tags.
func unchanged(r *http.Request, tag string, changed time.Time) bool {
	if known := r.Header["If-None-Match"]; len(known) > 0 {
		for _, list := range known {
			if matchesTag(list, tag) {
				return true
			}
		}
		return false
	}
	since := r.Header["If-Modified-Since"]
	if len(since) != 1 || changed.IsZero() {
		return false
	}
	t, err := http.ParseTime(since[0])
	modified, settled := lastModified(changed)
	return err == nil && settled && !modified.After(t)
}

// matchesTag reports whether list, the value of an If-None-Match, is "*" or
// contains tag, by weak comparison.
func matchesTag(list, tag string) bool {
	opaque := strings.TrimPrefix(tag, "W/")
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return false
		}
		if list[0] == '*' {
			return true
		}
		list = strings.TrimPrefix(list, "W/")
		if list == "" || list[0] != '"' {
			return false
		}
		end := strings.IndexByte(list[1:], '"')
		if end < 0 {
			return false
		}
		if list[:end+2] == opaque {
			return true
		}
		list = list[end+2:]
	}
}

// encodingWeight returns the weight that a client gives a content coding
// (RFC 9110, 12.5.3), and whether it named the coding; otherwise the weight is that
// of "*". It is 0 if the client refuses the coding or does not mention it.
func encodingWeight(h http.Header, coding string) (q float64, named bool) {
	for _, list := range h["Accept-Encoding"] {
		for item := range strings.SplitSeq(list, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.TrimSpace(name)
			switch {
			case strings.EqualFold(name, coding):
				q, named = qvalue(params), true
			case name == "*" && !named:
				q = qvalue(params)
			}
		}
	}
	return q, named
}

// prefersGzip reports whether the client accepts gzip and does not prefer an
// uncompressed body.
func prefersGzip(h http.Header) bool {
	if len(h["Accept-Encoding"]) == 0 {
		return false
	}
	plain, named := encodingWeight(h, "identity")
	q, _ := encodingWeight(h, "gzip")
	return q > 0 && (!named || q >= plain)
}

// qvalue returns the weight in the parameters of a coding: 1 if there is none,
// 0 if it is not a number.
func qvalue(params string) float64 {
	name, value, ok := strings.Cut(strings.TrimSpace(params), "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 1
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return 0
	}
	return q
}

// A zipper compresses one body at a time.
type zipper struct {
	gzip *gzip.Writer
	out  bytes.Buffer
}

func newZipper() *zipper {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed) // each answer is compressed anew
	if err != nil {
		panic(err) // the level is valid
	}
	return &zipper{gzip: w}
}

// zip returns the compressed body, which is valid until the next call.
func (z *zipper) zip(body []byte) []byte {
	z.out.Reset()
	z.gzip.Reset(&z.out)
	z.gzip.Write(body) // writing to a bytes.Buffer does not fail
	z.gzip.Close()
	return z.out.Bytes()
}
