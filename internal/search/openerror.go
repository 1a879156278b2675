package search

import (
	"errors"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
)

// systemErrors are errors that say nothing about the content of an index, with
// advice for each.
var systemErrors = []struct {
	err    error
	advice string
}{
	{bolterrors.ErrTimeout, "another process has it open; stop that process"},
	{syscall.ENOSPC, "the disk is full; free some space"},
	{syscall.EDQUOT, "the disk quota is used up; raise it or free some space"},
	{syscall.EROFS, "its file system is read-only; mount it for writing"},
	{syscall.EACCES, "give the user that this program runs as read and write access to the folder and everything in it"},
	{syscall.EPERM, "give the user that this program runs as read and write access to the folder and everything in it"},
	{syscall.ENOTDIR, "there is a file where a folder has to be; move it away"},
	{syscall.EMFILE, "raise the limit of open files"},
	{syscall.ENFILE, "raise the limit of open files of the system"},
	{syscall.ENOMEM, "give the process more memory"},
	{syscall.EIO, "reading or writing the disk fails; look into the system log"},
}

// isSystemError reports whether an index may be intact although opening it failed.
func isSystemError(err error) bool {
	for _, known := range systemErrors {
		if isError(err, known.err) {
			return true
		}
	}
	return false
}

// advice says what to do about an error in opening the index.
func advice(err error) string {
	for _, known := range systemErrors {
		if isError(err, known.err) {
			return known.advice
		}
	}
	if errors.Is(err, errForeign) {
		return "move away what does not belong there"
	}
	return "make sure that this program can write there; the folder may be deleted while it is stopped"
}

// isError is like errors.Is, and also recognises system errors of which bleve
// passes on only the text.
func isError(err, target error) bool {
	system := errors.As(target, new(syscall.Errno))
	return errors.Is(err, target) || system && strings.Contains(err.Error(), target.Error())
}
