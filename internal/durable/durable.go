// Package durable writes files so that they survive a kill and a power cut: a
// file is whole or not there, and it is on the disk when a function returns.
//
// A file is written under a temporary name beside its place, synced, renamed, and
// then its folder is synced. The temporary name is always the same, so that what a
// kill leaves behind is overwritten the next time and does not pile up; nothing
// here is for several writers of one path. Errors are those of package os, which
// name the operation and the path.
package durable

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile puts a file in its place, over the one that may stand there: a reader
// finds the old one or the new one, whole. mode is less the umask. Where it fails
// before the rename, the old file stays and nothing is left over.
func WriteFile(path string, mode fs.FileMode, write func(io.Writer) error) error {
	temporary := path + ".tmp"
	if err := Create(temporary, mode, write); err != nil {
		return err
	}
	err := Rename(temporary, path)
	if err != nil {
		_ = os.Remove(temporary) // gone if it was renamed
	}
	return err
}

// Create makes a file of its own, in place of any that was left under that name,
// and syncs it. Use it for a file that [Rename] puts in its place later, after a
// look at it. mode is less the umask. Where it fails there is no file.
func Create(path string, mode fs.FileMode, write func(io.Writer) error) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
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
		_ = os.Remove(path) // the error that led here is the one to report
	}
	return err
}

// Rename moves a synced file within its folder, over the one that may stand there,
// and syncs the folder.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(to))
}

// Copy puts a copy of the file at from in its place at to, with the same mode.
func Copy(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	return WriteFile(to, info.Mode().Perm(), func(w io.Writer) error {
		_, err := io.Copy(w, source)
		return err
	})
}

// SyncFolder makes the names in a folder outlive a power cut: what was created,
// renamed or removed there.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
