package catalogue

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pkgmetad/internal/durable"
	"pkgmetad/internal/record"
)

// Staged is a new catalogue file, written and synced beside the file that it is to
// replace. It is not safe for concurrent use.
type Staged struct {
	path      string // of the file to replace
	temporary string // of the new file; "" if the file at path has its content already
}

// Stage writes c to a file beside path, in the format that path stands for in
// [Load]. If that would not load as the same catalogue, Stage fails and leaves no
// file. Call [Staged.Discard] when done.
func Stage(path string, c record.Catalogue) (*Staged, error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	s, err := stage(path, c)
	if err != nil {
		return nil, fmt.Errorf("write the catalogue %s: %w", path, err)
	}
	return s, nil
}

// Unchanged returns a [Staged] for a file that is to stay as it is.
func Unchanged(path string) *Staged { return &Staged{path: path} }

func stage(path string, c record.Catalogue) (*Staged, error) {
	write, err := writerFor(path)
	if err != nil {
		return nil, err
	}
	ext := filepath.Ext(path) // stays the last part: the file is read back by its name
	s := &Staged{path: path, temporary: strings.TrimSuffix(path, ext) + ".new" + ext}
	if err := durable.Create(s.temporary, 0o644, func(w io.Writer) error { return write(w, c) }); err != nil {
		return nil, err
	}
	same, err := s.check(len(c.Packages), write)
	if err != nil || same {
		s.Discard()
	}
	return s, err
}

// check makes sure that the new file loads as what it was written from, and reports
// whether it is the same as the file to replace. It gives it the mode of that file.
func (s *Staged) check(packages int, write writer) (same bool, err error) {
	if err := readsBack(s.temporary, packages, write); err != nil {
		return false, err
	}
	old, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := os.Chmod(s.temporary, old.Mode().Perm()); err != nil {
		return false, err
	}
	return sameContent(s.path, s.temporary)
}

// Path returns the path of the file with the new content.
func (s *Staged) Path() string { return cmp.Or(s.temporary, s.path) }

// Changes reports whether Commit would change anything.
func (s *Staged) Changes() bool { return s.temporary != "" }

// Commit puts the new file in its place. The file that it replaces is kept as
// path.bak.
func (s *Staged) Commit() error {
	if s.temporary == "" {
		return nil
	}
	err := durable.Copy(s.path, s.path+".bak")
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = durable.Rename(s.temporary, s.path)
	}
	if err != nil {
		return fmt.Errorf("put the catalogue %s in its place: %w", s.path, err)
	}
	s.temporary = ""
	return nil
}

// Discard removes the new file, unless it has been committed.
func (s *Staged) Discard() {
	if s.temporary != "" {
		_ = os.Remove(s.temporary)
		s.temporary = ""
	}
}

// readsBack makes sure that the file at path loads, and that writing the result
// gives the same file. Text that a format cannot represent, or a file that is too
// large, is found here rather than by a daemon that does not start.
func readsBack(path string, packages int, write writer) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	const advice = "; nothing was changed: give catalogue.path a name that ends in .ndjson and try again"
	if f, _ := formatOf(path); f != linesFormat && info.Size() > maxYAML {
		return fmt.Errorf("%s %.1f MiB, and a catalogue in YAML has %d MiB at most%s", record.Count(packages, "package takes", "packages take"), float64(info.Size())/(1<<20), maxYAML>>20, advice)
	}
	c, err := Load(path)
	if err != nil {
		return fmt.Errorf("it would not load again: %w%s", err, advice)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	again := comparison{with: bufio.NewReader(f)}
	if err := write(&again, c); err != nil {
		return err
	}
	if !again.same() {
		return errors.New("it would load as another catalogue; nothing was changed")
	}
	return nil
}

func sameContent(path, other string) (bool, error) {
	a, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(other)
	if err != nil {
		return false, err
	}
	defer b.Close()
	c := comparison{with: bufio.NewReader(a)}
	if _, err := io.Copy(&c, b); err != nil {
		return false, err
	}
	return c.same(), nil
}

// comparison is a writer that compares what is written to it with what it reads.
type comparison struct {
	with    *bufio.Reader
	buf     []byte
	differs bool
}

func (c *comparison) Write(p []byte) (int, error) {
	c.buf = slices.Grow(c.buf[:0], len(p))[:len(p)]
	if n, err := io.ReadFull(c.with, c.buf); err != nil || !bytes.Equal(c.buf[:n], p) {
		c.differs = true
	}
	return len(p), nil
}

// same reports whether exactly what there is to read has been written.
func (c *comparison) same() bool {
	_, err := c.with.ReadByte()
	return !c.differs && err == io.EOF
}
