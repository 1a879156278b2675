package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// maxLine bounds a line of a snapshot, in bytes.
const maxLine = 1 << 20

// ErrNotSnapshot is returned for a file that is not a snapshot.
var ErrNotSnapshot = errors.New("is not a snapshot: its first line is not a package as the API serves it")

// Snapshot is a file of packages as the API serves them, one a line, plain or
// compressed with gzip or Zstandard. Of categories and grids it has only the ids.
type Snapshot struct {
	StaleAfter time.Duration          // age at which an imported record is due
	Progress   func(read, size int64) // called every so often, in bytes of the file; may be nil

	file  *os.File
	size  int64
	lines *bufio.Reader
	close func() // of the decompressor
}

// OpenSnapshot opens the file at path. It fails with ErrNotSnapshot if the first line
// is not a package as the API serves it. Close the snapshot when done.
func OpenSnapshot(path string) (*Snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{file: f, close: func() {}}
	if err := s.open(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) open() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("is not a regular file")
	}
	s.size = info.Size()
	raw := bufio.NewReaderSize(s.file, 64<<10)
	magic, _ := raw.Peek(4) // a shorter file has no magic; an error will occur again
	var in io.Reader = raw
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return fmt.Errorf("is not a valid gzip file: %w", err)
		}
		in, s.close = z, func() { _ = z.Close() }
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return fmt.Errorf("is not a valid Zstandard file: %w", err)
		}
		in, s.close = z, z.Close
	}
	s.lines = bufio.NewReaderSize(in, maxLine+2) // room for the line end
	return startsWithRecord(s.lines)
}

// startsWithRecord checks the first line that is not blank. It returns nil,
// ErrNotSnapshot, or the error of reading it.
func startsWithRecord(lines *bufio.Reader) error {
	for n := 4 << 10; ; n = min(2*n, lines.Size()) {
		head, err := lines.Peek(n)
		if err != nil && err != io.EOF {
			return fmt.Errorf("cannot be read: %w", err)
		}
		line, _, whole := bytes.Cut(bytes.TrimLeft(head, " \t\r\n"), []byte("\n"))
		if !whole && err == nil && n < lines.Size() {
			continue
		}
		var keys struct {
			LastFetched json.RawMessage `json:"last_fetched"`
			Watchers    json.RawMessage `json:"repo_watchers"`
			Commits     json.RawMessage `json:"commits_over_52"`
		}
		if json.Unmarshal(line, &keys) == nil && (keys.LastFetched != nil || keys.Watchers != nil || keys.Commits != nil) {
			return nil
		}
		return ErrNotSnapshot
	}
}

// Close closes the file.
func (s *Snapshot) Close() error {
	s.close()
	return s.file.Close()
}

// progressLines is the number of lines between two reports of progress.
const progressLines = 1000

// Read reads the whole file, and works once. Beside the records it holds one line in
// memory. A truncated file, or one that cannot be decompressed, is an error: what is
// missing would count as deleted.
func (s *Snapshot) Read(ctx context.Context) (*Collection, error) {
	c := newCollector(nil, s.StaleAfter)
	for number := 1; ; number++ {
		if number%progressLines == 0 {
			if ctx.Err() != nil {
				return nil, errors.New("stopped; nothing was changed")
			}
			if at, err := s.file.Seek(0, io.SeekCurrent); err == nil && s.Progress != nil {
				s.Progress(at, s.size)
			}
		}
		place := fmt.Sprintf("line %d", number)
		line, err := s.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			c.skip("package", 0, place, errors.New("is longer than 1 MiB"))
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = s.lines.ReadSlice('\n')
			}
		} else if line = bytes.TrimSpace(line); len(line) > 0 && (err == nil || err == io.EOF) {
			c.addPackage(line, place)
		}
		if err == io.EOF {
			return c.finish(), nil
		}
		if err != nil {
			return nil, fmt.Errorf("line %d cannot be read: %w; nothing was changed", number, err)
		}
	}
}
