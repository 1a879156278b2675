package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// position is a place in a file, both counted from 1. The zero position is
// the file as a whole.
type position struct{ line, column int }

// Problem is one thing that is wrong in a file.
type Problem struct {
	Line, Column int    // from 1; 0 where the file as a whole is meant
	Key          string // full name of the key, such as store.path; "" where no key is meant
	Message      string // what is wrong; what to write instead
}

// FileError is everything that is wrong in one file, in the file's order.
type FileError struct {
	File     string
	Problems []Problem
	More     int // problems beyond those listed
}

// Error gives one line a problem: file:line:column: key: message.
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

// maxProblems bounds what a hopeless file can make us remember.
const maxProblems = 1000

// problems collects what is wrong while a file is read to its end.
type problems struct {
	list []Problem
	more int
}

func (ps *problems) add(at position, key, format string, args ...any) {
	if len(ps.list) == maxProblems {
		ps.more++
		return
	}
	ps.list = append(ps.list, Problem{at.line, at.column, key, fmt.Sprintf(format, args...)})
}

// report returns the problems of a file by position, show of them at most, or
// nil where there are none.
func (ps *problems) report(file string, show int) *FileError {
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

// readFile reads a file of at most limit bytes; kind says of what, in case
// that it is larger.
func readFile(path string, limit int64, kind string, ps *problems) []byte {
	f, err := os.Open(path)
	if err != nil {
		ps.add(position{}, "", "cannot be opened: %s; check the path and its permissions", cause(err))
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		ps.add(position{}, "", "is a folder; name the file in it")
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		ps.add(position{}, "", "cannot be read: %s", cause(err))
		return nil
	case int64(len(data)) > limit:
		ps.add(position{1, 1}, "", "is larger than %d MiB, too large for %s", limit>>20, kind)
		return nil
	}
	return data
}

// cause strips the operation and the path, which the message names already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// parseYAML returns the one document in data, or nil and the problems; for a
// file without any, whenEmpty says what to do. Beyond what the parser refuses,
// it refuses what these files have no use for.
func parseYAML(data []byte, whenEmpty string, ps *problems) (root ast.Node) {
	defer func() {
		if r := recover(); r != nil {
			root = nil
			ps.add(position{1, 1}, "", "the YAML parser gave up on this file; simplify it, indent with spaces, quote text with special characters")
		}
	}()
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !checkUTF8(data, ps) {
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if t := tokens.InvalidToken(); t != nil {
		ps.add(positionOf(t), "", notYAML, withoutValues(t.Error))
		return nil
	}
	before := len(ps.list)
	checkTokens(tokens, ps)
	if len(ps.list) > before {
		return nil
	}
	// Duplicate keys are the decoder's to report, all of them at once.
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := position{1, 1}, err.Error()
		var ye yaml.Error
		if errors.As(err, &ye) {
			at, message = positionOf(ye.GetToken()), ye.GetMessage()
		}
		ps.add(at, "", notYAML, withoutValues(message))
		return nil
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			ps.add(nodePosition(doc.Body), "", "%s", secondDocument)
			return nil
		}
		root = doc.Body
	}
	if root == nil {
		ps.add(position{1, 1}, "", "%s", whenEmpty)
	}
	return root
}

func checkUTF8(data []byte, ps *problems) bool {
	i := invalidUTF8(data)
	if i < 0 {
		return true
	}
	good := data[:i]
	line := good[bytes.LastIndexByte(good, '\n')+1:]
	at := position{bytes.Count(good, []byte("\n")) + 1, utf8.RuneCount(line) + 1}
	ps.add(at, "", "is not UTF-8 from here on; save the file as UTF-8 text")
	return false
}

// invalidUTF8 returns where data stops to be UTF-8, or -1.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
}

const notYAML = "is not YAML: %s; check the indentation (spaces, no tabs) and the quotes there"

var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// withoutValues keeps what the file says out of a parser's message: it may be
// a secret that somebody put there.
func withoutValues(message string) string {
	message = strings.ReplaceAll(message, "'\t'", "tab")
	return quoted.ReplaceAllString(strings.TrimSpace(message), "…")
}

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}
