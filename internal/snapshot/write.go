package snapshot

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"time"

	"pkgmetad/internal/durable"
	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// writePackages writes every package to a file, and returns the sequence and the
// time of the state that they are of.
func (f *Follower) writePackages(ctx context.Context, path string) (sequence uint64, changed time.Time, err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil { // somebody may have tidied up
		return 0, changed, err
	}
	links := render.Links{Base: f.base, Suffix: "/"}
	err = durable.Create(path, 0o600, func(w io.Writer) (err error) {
		var line []byte
		sequence, changed, err = f.store.EachServed(func(p store.Served) error {
			line = append(render.Fill(line[:0], p.Body, links), '\n')
			if _, err := w.Write(line); err != nil {
				return err
			}
			return ctx.Err()
		})
		return err
	})
	return sequence, changed, err
}

// compress writes a file again in another coding.
func compress(ctx context.Context, from, to string, c coding) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return durable.Create(to, 0o600, func(w io.Writer) error {
		z, err := c.compress(w)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(z, readerFunc(func(b []byte) (int, error) {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			runtime.Gosched() // answers go first
			return in.Read(b)
		}), make([]byte, 1<<15))
		return errors.Join(err, z.Close())
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
