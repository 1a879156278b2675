// Package strict reads the files that people write, YAML and JSON lines, into Go
// structs. It converts nothing silently, rejects features that such files do not
// need, continues after a mistake, and reports every mistake with its line and
// column and with what to write instead.
//
// It is the only package that uses a YAML parser. Checking what values mean is up
// to its callers, who add problems of their own to the same [Problems].
package strict

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Position is a place in a file: line and column, both counted from 1, the
// column in characters (in bytes for JSON lines). The zero Position means the
// file as a whole.
type Position struct{ Line, Column int }

// Problem is one mistake in a file.
type Problem struct {
	Position
	Key     string // full name of the key, such as store.path; "" where no key is meant
	Message string // what is wrong, and what to write instead
}

// FileError lists the mistakes in one file, in the file's order.
type FileError struct {
	File     string
	Problems []Problem
	More     int // mistakes beyond those listed
}

// Error returns one line for each problem: file:line:column: key: message.
func (e *FileError) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		line := e.File + ": "
		if p.Line > 0 {
			line = fmt.Sprintf("%s:%d:%d: ", e.File, p.Line, p.Column)
		}
		if p.Key != "" {
			line += p.Key + ": "
		}
		lines = append(lines, line+p.Message)
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more", e.File, e.More))
	}
	return strings.Join(lines, "\n")
}

// MaxProblems is how many problems of a file are kept; more are only counted.
const MaxProblems = 1000

// Problems collects what is wrong in a file. The zero value is ready to use.
type Problems struct {
	list []Problem
	more int // not kept
}

// Add adds a problem with the key at a position; key may be "".
func (ps *Problems) Add(at Position, key, format string, args ...any) {
	if len(ps.list) == MaxProblems {
		ps.more++
		return
	}
	ps.list = append(ps.list, Problem{at, key, fmt.Sprintf(format, args...)})
}

// Empty reports whether nothing is wrong so far.
func (ps *Problems) Empty() bool { return len(ps.list) == 0 }

// Has reports whether a problem with one of the keys has been added.
func (ps *Problems) Has(keys ...string) bool {
	return slices.ContainsFunc(ps.list, func(p Problem) bool { return slices.Contains(keys, p.Key) })
}

// HasOnLine reports whether a problem with the key on that line has been added.
func (ps *Problems) HasOnLine(key string, line int) bool {
	return slices.ContainsFunc(ps.list, func(p Problem) bool { return p.Key == key && p.Line == line })
}

// Err returns a [*FileError] that lists the problems by position, at most show of
// them, or nil if there are none.
func (ps *Problems) Err(file string, show int) error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	listed := min(show, len(ps.list))
	return &FileError{File: file, Problems: ps.list[:listed], More: ps.more + len(ps.list) - listed}
}

// Open opens a file for reading. If it cannot, it adds a problem and returns nil.
func Open(path string, ps *Problems) *os.File {
	f, err := os.Open(path)
	if err != nil {
		ps.Add(Position{}, "", "cannot be opened: %s; check the path and its permissions", Cause(err))
		return nil
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		_ = f.Close() // nothing was read from it
		ps.Add(Position{}, "", "is a folder; name the file in it")
		return nil
	}
	return f
}

// ReadFile reads a file of at most limit bytes. If it cannot, it adds a problem and
// returns nil. advice completes the message about a larger file: "is larger than
// 1 MiB, too large for ADVICE".
func ReadFile(path string, limit int64, advice string, ps *Problems) []byte {
	f := Open(path, ps)
	if f == nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		ps.Add(Position{}, "", "cannot be read: %s", Cause(err))
		return nil
	case int64(len(data)) > limit:
		ps.Add(Position{1, 1}, "", "is larger than %d MiB, too large for %s", limit>>20, advice)
		return nil
	}
	return data
}

// Cause strips the operation and the path from an error about a file, for
// messages that name both already.
func Cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
