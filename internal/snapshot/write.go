package snapshot

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"time"

	"pkgmetad/internal/render"
	"pkgmetad/store"
)

// writePackages writes every package to a file, and returns the sequence and the
// time of the state that they are of.
func (f *Follower) writePackages(ctx context.Context, path string) (sequence uint64, changed time.Time, err error) {
	if err := os.MkdirAll(f.dir, 0o700); err != nil { // somebody may have tidied up
		return 0, changed, err
	}
	err = writeFile(path, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<20)
		links := render.Links{Base: f.base, Suffix: "/"}
		var line []byte
		var err error
		sequence, changed, err = f.store.EachServed(func(p store.Served) error {
			line = append(render.Fill(line[:0], p.Body, links), '\n')
			if _, err := out.Write(line); err != nil {
				return err
			}
			return ctx.Err()
		})
		return errors.Join(err, out.Flush())
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
	return writeFile(to, func(w io.Writer) error {
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

// writeFile makes a file in place of what is at its path, has write fill it, and
// returns when its content is on the disk.
func writeFile(path string, write func(io.Writer) error) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return errors.Join(write(file), file.Sync())
}

// syncFolder returns when the names of the files in a folder are on the disk.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
