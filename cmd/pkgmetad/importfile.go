package main

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
	"pkgmetad/internal/record"
	"slices"
	"strings"
)

// newCatalogueFile is a catalogue that stands, synced, beside the place that it
// is meant for.
type newCatalogueFile struct {
	path string // that it is meant for
	temp string // where it is; "" where path has the same content already
}

// stageCatalogue writes c beside path, in the format that the name asks for as
// in [LoadCatalogue]. It fails, and leaves nothing, where the file would not
// read back as the same catalogue.
func stageCatalogue(path string, c record.Catalogue) (f *newCatalogueFile, err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays one
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the catalogue %s: %w", path, err)
		}
	}()
	write, err := catalogueFormat(path)
	if err != nil {
		return nil, err
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	ext := filepath.Ext(path)
	temp := strings.TrimSuffix(path, ext) + ".new" + ext // read back by its name
	if err := writeSynced(temp, mode, func(w io.Writer) error { return write(w, c) }); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp)
		}
	}()
	if err := readsBack(temp, len(c.Packages), write); err != nil {
		return nil, err
	}
	same, err := sameContent(path, temp)
	if err != nil || !same {
		return &newCatalogueFile{path, temp}, err
	}
	return &newCatalogueFile{path: path}, os.Remove(temp)
}

// at returns where the new content is now.
func (f *newCatalogueFile) at() string { return cmp.Or(f.temp, f.path) }

// changes reports whether commit changes anything.
func (f *newCatalogueFile) changes() bool { return f.temp != "" }

// commit puts the file in its place. What stood there is kept as path.bak.
func (f *newCatalogueFile) commit() (err error) {
	if f.temp == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("put the catalogue %s in its place: %w", f.path, err)
		}
	}()
	if err := keepCopy(f.path); err != nil {
		return err
	}
	if err := os.Rename(f.temp, f.path); err != nil {
		return err
	}
	f.temp = ""
	return syncFolder(filepath.Dir(f.path))
}

// discard removes the file, unless it is in its place.
func (f *newCatalogueFile) discard() {
	if f.temp != "" {
		_ = os.Remove(f.temp)
	}
}

// keepCopy copies the file at path, if there is one, to path.bak.
func keepCopy(path string) error {
	old, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer old.Close()
	info, err := old.Stat()
	if err != nil {
		return err
	}
	if err := writeSynced(path+".bak.new", info.Mode().Perm(), func(w io.Writer) error {
		_, err := io.Copy(w, old)
		return err
	}); err != nil {
		return err
	}
	return os.Rename(path+".bak.new", path+".bak")
}

// writeSynced makes a file that is on the disk when it returns. On an error
// there is none.
func writeSynced(path string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(path)
	}
	return err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func sameContent(path, other string) (bool, error) {
	a, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
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

// comparison is a writer that compares what it is given with what it reads.
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

// same reports whether all that was written is all that there is to read.
func (c *comparison) same() bool {
	_, err := c.with.ReadByte()
	return !c.differs && err == io.EOF
}

// readsBack makes sure that the file at path loads, and that what it loads as
// is written alike. Hostile text and sheer size both end here, rather than in a
// daemon that does not start.
func readsBack(path string, packages int, write catalogueWriter) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	const advice = "; nothing was changed: give catalogue.path a name that ends in .ndjson and try again"
	if catalogueIsYAML(path) && info.Size() > maxCatalogueYAML {
		return fmt.Errorf("%d packages take %.1f MiB, and a catalogue in YAML has %d MiB at most%s", packages, float64(info.Size())/(1<<20), maxCatalogueYAML>>20, advice)
	}
	c, err := LoadCatalogue(path)
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
