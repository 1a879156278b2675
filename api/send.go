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

// Every answer may be kept, and is to be asked about before it is used again:
// that costs a 304.
var (
	revalidate = []string{"public, no-cache"}
	noSniff    = []string{"nosniff"}
)

// gzipFrom is the length in bytes from which a body is worth compressing.
const gzipFrom = 1024

// send answers a GET, HEAD or OPTIONS with a complete body, whose type stands in
// the header. A success carries a weak ETag and, unless changed is zero, a
// Last-Modified, and is a 304 for whoever has it already.
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
		w.Write(body) // a client that is gone is nobody's failure
	}
}

// entityTag returns the weak ETag of a body: it is of the content before
// compression, and the same after a restart.
func entityTag(body []byte) string {
	b := make([]byte, 0, 4+16)
	b = append(b, `W/"`...)
	b = strconv.AppendUint(b, xxhash.Sum64(body), 16)
	return string(append(b, '"'))
}

// lastModified returns the time to tell for something that changed then: the
// next whole second, by which no later change can be told. Within the second of
// the change that lies ahead, and must not be told; the present second then
// stands for it, and is not settled: it proves nothing if it comes back.
func lastModified(changed time.Time) (told time.Time, settled bool) {
	told = changed.Add(time.Second - 1).Truncate(time.Second).UTC()
	if now := time.Now().Truncate(time.Second); told.After(now) {
		return now.UTC(), false
	}
	return told, true
}

// unchanged reports whether the client of a GET or HEAD has this state of the
// answer (RFC 9110, 13.1): by its tags, and only where it sent none by the date.
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

// matchesTag compares tag with each of a list, weakly.
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
// (RFC 9110, 12.5.3), or else the one of "*", and whether it named it; 0 where it
// does not take it, or said nothing of it.
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

// prefersGzip reports whether the client takes gzip, and not rather nothing.
func prefersGzip(h http.Header) bool {
	if len(h["Accept-Encoding"]) == 0 {
		return false
	}
	plain, named := encodingWeight(h, "identity")
	q, _ := encodingWeight(h, "gzip")
	return q > 0 && (!named || q >= plain)
}

// qvalue reads the weight in the parameters of a coding: 1 where there is none,
// 0 where it can't be read.
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
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the body is made anew for each answer
	if err != nil {
		panic(err) // there is that level
	}
	return &zipper{gzip: w}
}

// zip returns the compressed body, which lasts until the next one.
func (z *zipper) zip(body []byte) []byte {
	z.out.Reset()
	z.gzip.Reset(&z.out)
	z.gzip.Write(body) // a buffer fails at nothing
	z.gzip.Close()
	return z.out.Bytes()
}
