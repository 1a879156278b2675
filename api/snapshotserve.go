package api

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"time"
)

// ServeHTTP serves the snapshot: whole, in ranges, and compressed for those who
// ask, with strong validators.
func (s *Snapshots) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"] = noSniff
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		sendText(w, r, http.StatusMethodNotAllowed, "")
		return
	}
	c := accepted(r.Header)
	n, f, err := s.open(c)
	if err != nil {
		h.Set("Retry-After", "5")
		text := "the first snapshot is being made; try again in a few seconds\n"
		if !errors.Is(err, errNoSnapshot) {
			s.log.Error().Err(err).Msg("the snapshot cannot be served")
			text = "the snapshot cannot be read\n"
		}
		sendText(w, r, http.StatusServiceUnavailable, text)
		return
	}
	defer f.Close()
	tag := strconv.FormatUint(n.sequence, 10) + "-" + n.kind
	size := int64(-1)
	if c.name != "" {
		tag += "-" + c.name
		h.Set("Content-Encoding", c.name)
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
	}
	h["Etag"] = []string{`"` + tag + `"`}
	h["Vary"] = []string{"Accept-Encoding"}
	h["Cache-Control"] = revalidate
	h["Content-Type"] = []string{"application/x-ndjson"}
	h[sequenceHeader] = []string{strconv.FormatUint(n.sequence, 10)}
	modified, settled := lastModified(n.changed)
	if !settled {
		r = r.Clone(r.Context())
		r.Header.Del("If-Modified-Since")
	}
	http.ServeContent(&patient{ResponseWriter: w, size: size}, r, "", modified, f)
}

// accepted returns the form that a client prefers or, of several, the smallest.
// Who takes anything gets gzip, which everybody reads.
func accepted(h http.Header) coding {
	best, most := codings[len(codings)-1], 0.0
	for _, c := range codings {
		q, named := encodingWeight(h, cmp.Or(c.name, "identity"))
		if named || c.name == "gzip" {
			if q > most {
				best, most = c, q
			}
		}
	}
	return best
}

var errNoSnapshot = errors.New("no snapshot has been made yet")

// open opens a file of the current snapshot. One that was replaced meanwhile is
// followed by the next.
func (s *Snapshots) open(c coding) (*snapshot, *os.File, error) {
	for {
		n := s.current.Load()
		if n == nil {
			return nil, nil, errNoSnapshot
		}
		f, err := os.Open(s.path(n, c))
		if err == nil {
			return n, f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		if s.current.CompareAndSwap(n, nil) { // somebody took it away: it is made anew
			s.Update()
			return nil, nil, err
		}
	}
}

// What a reader of the snapshot has to take in that time at least, or it is
// cut off: it may be slow, but not hold a connection for ever.
const (
	patientBytes = 1 << 20
	patientTime  = time.Minute
)

// patient lets a large file take longer than any other answer may, as long as
// it gets on.
type patient struct {
	http.ResponseWriter
	size int64 // of the whole file where it is compressed, which ServeContent does not tell; else -1
}

func (p *patient) WriteHeader(status int) {
	if status == http.StatusOK && p.size >= 0 {
		p.Header().Set("Content-Length", strconv.FormatInt(p.size, 10))
	}
	p.ResponseWriter.WriteHeader(status)
}

// ReadFrom hands the file over to the kernel, a stretch at a time.
func (p *patient) ReadFrom(src io.Reader) (n int64, err error) {
	wire := http.NewResponseController(p.ResponseWriter)
	for {
		if err := wire.SetWriteDeadline(time.Now().Add(patientTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return n, err
		}
		stretch := &io.LimitedReader{R: src, N: patientBytes}
		if whole, ok := src.(*io.LimitedReader); ok { // so that the kernel sees the file itself
			stretch.R, stretch.N = whole.R, min(whole.N, patientBytes)
		}
		want := stretch.N
		m, err := io.Copy(p.ResponseWriter, stretch)
		n += m
		if whole, ok := src.(*io.LimitedReader); ok {
			whole.N -= m
		}
		if err != nil || m < want || want == 0 {
			return n, err
		}
	}
}
