package api

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"pkgmetad/internal/snapshot"
)

const (
	snapshotPath = "/snapshot/packages.ndjson"

	// sequenceHeader tells the sequence that a snapshot is of.
	sequenceHeader = "Pkgmetad-Sequence"
)

// snapshot serves the snapshot: whole, in ranges, and compressed for those who
// ask, with strong validators.
func (a *api) snapshot(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"] = noSniff
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		sendText(w, r, http.StatusMethodNotAllowed, "")
		return
	}
	coding := acceptedCoding(r.Header)
	f, info, err := a.snapshots.Open(coding)
	if err != nil {
		h.Set("Retry-After", "5")
		text := "the first snapshot is being made; try again in a few seconds\n"
		if !errors.Is(err, snapshot.ErrNone) {
			a.log.Error().Err(err).Msg("the snapshot cannot be served")
			text = "the snapshot cannot be read\n"
		}
		sendText(w, r, http.StatusServiceUnavailable, text)
		return
	}
	defer f.Close()
	tag, size := info.Name, int64(-1)
	if coding != "" {
		tag += "-" + coding
		h.Set("Content-Encoding", coding)
		if file, err := f.Stat(); err == nil {
			size = file.Size()
		}
	}
	h["Etag"] = []string{`"` + tag + `"`}
	h["Vary"] = []string{"Accept-Encoding"}
	h["Cache-Control"] = revalidate
	h["Content-Type"] = []string{"application/x-ndjson"}
	h[sequenceHeader] = []string{strconv.FormatUint(info.Sequence, 10)}
	modified, settled := lastModified(info.Changed)
	if !settled {
		r = r.Clone(r.Context())
		r.Header.Del("If-Modified-Since")
	}
	http.ServeContent(&patient{ResponseWriter: w, size: size}, r, "", modified, f)
}

// acceptedCoding returns the form that a client prefers or, of several, the
// smallest. One that takes anything gets gzip, which everybody can read.
func acceptedCoding(h http.Header) string {
	best, most := "", 0.0
	for _, coding := range snapshot.Codings() {
		q, named := encodingWeight(h, cmp.Or(coding, "identity"))
		if (named || coding == "gzip") && q > most {
			best, most = coding, q
		}
	}
	return best
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
