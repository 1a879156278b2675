package snapshot

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A coding is a form that a snapshot is kept in.
type coding struct {
	name, suffix string // as in Content-Encoding, "" for none; of the file
	compress     func(io.Writer) (io.WriteCloser, error)
}

// codings begin with the preferred one, and end with none.
var codings = []coding{
	{"zstd", ".zst", func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) // there is no hurry
	}},
	{"gzip", ".gz", func(w io.Writer) (io.WriteCloser, error) {
		return gzip.NewWriterLevel(w, gzip.DefaultCompression)
	}},
	{"", "", nil},
}

// Codings are the content codings that a snapshot is kept in, the smallest first.
// The last is "", the uncompressed form.
func Codings() (names []string) {
	for _, c := range codings {
		names = append(names, c.name)
	}
	return names
}

// codingOf returns the coding of a name, the uncompressed form for an unknown one.
func codingOf(name string) coding {
	for _, c := range codings {
		if c.name == name {
			return c
		}
	}
	return codings[len(codings)-1]
}

// A file of a snapshot is called packages-SEQUENCE-KIND.ndjson, with the suffix of
// its coding; one that is being written, unfinished with that suffix.
const (
	stem       = "packages-"
	extension  = ".ndjson"
	unfinished = ".unfinished"
)

// name names the content of the snapshot of a sequence.
func (f *Follower) name(sequence uint64) string {
	return strconv.FormatUint(sequence, 10) + "-" + f.kind
}

func (f *Follower) path(n *Info, c coding) string {
	return filepath.Join(f.dir, stem+n.Name+extension+c.suffix)
}

// find takes over the latest complete snapshot of this kind, and removes the rest.
func (f *Follower) find() {
	files, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		f.log.Warn().Err(err).Msg("the folder of the snapshots cannot be read, so a new snapshot is made")
	}
	for _, file := range files {
		text, ours := strings.CutPrefix(file.Name(), stem)
		text, plain := strings.CutSuffix(text, "-"+f.kind+extension)
		sequence, err := strconv.ParseUint(text, 10, 64)
		if !ours || !plain || err != nil || sequence > f.store.Sequence() {
			continue
		}
		if known := f.current.Load(); known != nil && known.Sequence > sequence {
			continue
		}
		if found, err := f.stat(sequence); err == nil {
			f.current.Store(found)
		}
	}
	f.sweep()
}

// stat returns the snapshot of a sequence, if all its files are there.
func (f *Follower) stat(sequence uint64) (*Info, error) {
	found := &Info{Sequence: sequence, Name: f.name(sequence)}
	for i, c := range codings {
		info, err := os.Stat(f.path(found, c))
		if err != nil {
			return nil, err
		}
		if i == 0 { // a compressed file has the time at which it was written
			found.Made = info.ModTime()
		}
		found.Changed, found.Size = info.ModTime(), info.Size() // of the last, which is the uncompressed one
	}
	return found, nil
}

// sweep removes all files but those of the current snapshot. Readers that still
// have one of them open read it to its end.
func (f *Follower) sweep() {
	keep := make(map[string]bool)
	if n := f.current.Load(); n != nil {
		for _, c := range codings {
			keep[filepath.Base(f.path(n, c))] = true
		}
	}
	files, err := os.ReadDir(f.dir)
	for _, file := range files {
		if !keep[file.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(f.dir, file.Name())))
		}
	}
	if err != nil {
		f.log.Warn().Err(err).Msg("old snapshots could not be removed and take up room; this is tried again after the next snapshot")
	}
}

// removeUnfinished removes what a snapshot that could not be made has left.
func (f *Follower) removeUnfinished() {
	for _, c := range codings {
		_ = os.Remove(filepath.Join(f.dir, unfinished+c.suffix)) // those that are there
	}
}
