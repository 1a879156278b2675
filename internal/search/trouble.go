package search

import (
	"errors"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
)

// ofSystem are the errors that come of what is around an index, whatever is in
// it, and what helps against each.
var ofSystem = []struct {
	err    error
	advice string
}{
	{bolterrors.ErrTimeout, "another process has it open; stop that one"},
	{syscall.ENOSPC, "the disk is full; make room on it"},
	{syscall.EDQUOT, "the quota of the disk is used up; raise it or make room"},
	{syscall.EROFS, "its file system is read-only; mount it for writing"},
	{syscall.EACCES, "let the user that this program runs as read and write the folder and all in it"},
	{syscall.EPERM, "let the user that this program runs as read and write the folder and all in it"},
	{syscall.ENOTDIR, "a file stands where a folder has to be; move it away"},
	{syscall.EMFILE, "raise the limit of open files"},
	{syscall.ENFILE, "raise the limit of open files of the system"},
	{syscall.ENOMEM, "give it more memory"},
	{syscall.EIO, "the disk fails; see what the system says of it"},
}

// isOfSystem reports whether an index may be whole though opening it failed.
func isOfSystem(err error) bool {
	for _, known := range ofSystem {
		if is(err, known.err) {
			return true
		}
	}
	return false
}

// advice says what helps against an error of opening.
func advice(err error) string {
	for _, known := range ofSystem {
		if is(err, known.err) {
			return known.advice
		}
	}
	if errors.Is(err, errForeign) {
		return "move away what does not belong there"
	}
	return "see that this program can write there; the folder may be deleted while it is stopped"
}

// is is errors.Is, also for errors of the system that bleve keeps the text of alone.
func is(err, target error) bool {
	_, system := target.(syscall.Errno)
	return errors.Is(err, target) || system && strings.Contains(err.Error(), target.Error())
}
