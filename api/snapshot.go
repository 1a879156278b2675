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

	// sequenceHeader is the name of the header with the sequence of the snapshot.
	sequenceHeader = "Pkgmetad-Sequence"
)

// snapshot serves the snapshot: all of it or ranges, compressed for clients that
// ask for it, with strong validators.
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
			a.failures.note(r, err, "the snapshot cannot be served")
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
	http.ServeContent(&patientWriter{ResponseWriter: w, size: size}, r, "", modified, f)
}

// acceptedCoding returns the content coding that the client weighs highest, ""
// for none; among equals, the one with the smallest file. A client that accepts
// any coding gets gzip, which everything can decode.
func acceptedCoding(h http.Header) string {
	best, bestWeight := "", 0.0
	for _, coding := range snapshot.Codings() {
		q, named := encodingWeight(h, cmp.Or(coding, "identity"))
		if (named || coding == "gzip") && q > bestWeight {
			best, bestWeight = coding, q
		}
	}
	return best
}

// A client of the snapshot has to read chunkBytes in every chunkTime, or it is
// cut off: it may be slow, but must not hold a connection for ever.
const (
	chunkBytes = 1 << 20
	chunkTime  = time.Minute
)

// patientWriter lets a large file take longer than other answers may, as long as
// the client makes progress.
type patientWriter struct {
	http.ResponseWriter
	size int64 // of the file if it is compressed, for the Content-Length, which ServeContent then omits; else -1
}

func (p *patientWriter) WriteHeader(status int) {
	if status == http.StatusOK && p.size >= 0 {
		p.Header().Set("Content-Length", strconv.FormatInt(p.size, 10))
	}
	p.ResponseWriter.WriteHeader(status)
}

// ReadFrom sends src in chunks, each with a deadline of its own.
func (p *patientWriter) ReadFrom(src io.Reader) (n int64, err error) {
	controller := http.NewResponseController(p.ResponseWriter)
	for {
		if err := controller.SetWriteDeadline(time.Now().Add(chunkTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return n, err
		}
		chunk := &io.LimitedReader{R: src, N: chunkBytes}
		limited, ok := src.(*io.LimitedReader)
		if ok { // read what it wraps: sendfile needs the file itself
			chunk.R, chunk.N = limited.R, min(limited.N, chunkBytes)
		}
		want := chunk.N
		m, err := io.Copy(p.ResponseWriter, chunk)
		n += m
		if ok {
			limited.N -= m
		}
		if err != nil || m < want || want == 0 {
			return n, err
		}
	}
}
