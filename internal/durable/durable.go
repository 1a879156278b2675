// Package durable writes files so that they survive a kill and a power cut: a
// file is complete or does not exist, and it is on disk when a function returns.
//
// A file is written under a temporary name in the same folder, synced and renamed,
// and then the folder is synced. The temporary name is always the same, so that
// what a kill leaves behind is overwritten the next time and does not pile up. A
// path must therefore not have several writers at once. Errors are those of package
// os, which name the operation and the path.
package durable

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile writes a file, in place of any that exists at path: a reader finds
// either the old one or the new one, complete. mode is before the umask. If it fails
// before the rename, the old file stays and no temporary file is left.
func WriteFile(path string, mode fs.FileMode, write func(io.Writer) error) error {
	temporary := path + ".tmp"
	if err := Create(temporary, mode, write); err != nil {
		return err
	}
	err := Rename(temporary, path)
	if err != nil {
		_ = os.Remove(temporary) // fails if it was renamed, which is fine
	}
	return err
}

// Create writes a new file, in place of any that was left at path, and syncs it. Use
// it for a file that is checked before [Rename] moves it into place, and for a set of
// files that are renamed together and followed by one [SyncFolder]. mode is before the
// umask. If it fails, there is no file.
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

// Rename moves a synced file within its folder, in place of any that exists at to,
// and syncs the folder.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(to))
}

// Copy writes a copy of the file at from to the path to, with the same mode, as
// [WriteFile] does.
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

// SyncFolder makes what was created, renamed or removed in a folder survive a power
// cut.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
