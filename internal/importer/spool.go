package importer

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"pkgmetad/internal/durable"
)

// maxSpoolAge is how long the pages of an interrupted walk can be used: after a day
// the site has changed, and its pages no longer fit together.
const maxSpoolAge = 24 * time.Hour

// spool keeps the pages of a walk in a folder, each in a file named by its URL,
// until what they hold is imported or refused. However the program ends, a page is
// complete or does not exist.
type spool struct{ folder string }

// spoolHead says which import the pages in a spool belong to. It is written first.
type spoolHead struct {
	Source  string    `json:"source"`
	Started time.Time `json:"started"`
}

const spoolHeadName = "source.json"

// openSpool opens the spool in folder if it belongs to this source and is not too old,
// and otherwise makes an empty one. If there was a spool, the sentence says what
// became of it.
func openSpool(folder, source string, now time.Time) (s *spool, sentence string, err error) {
	s = &spool{folder}
	var head spoolHead
	data, err := os.ReadFile(filepath.Join(folder, spoolHeadName))
	switch age := time.Duration(0); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, "", fmt.Errorf("resume the unfinished import: %w", err)
	case json.Unmarshal(data, &head) != nil:
		sentence = "the unfinished import here cannot be read; starting over"
	case head.Source != source:
		sentence = fmt.Sprintf("discarding an unfinished import of %s; starting over with %s", head.Source, source)
	default:
		age = now.Sub(head.Started)
		if age >= 0 && age <= maxSpoolAge {
			return s, "resuming the import begun at " + head.Started.UTC().Format(time.RFC3339), nil
		}
		sentence = fmt.Sprintf("the import begun at %s is too old to resume; starting over", head.Started.UTC().Format(time.RFC3339))
	}
	if err := os.RemoveAll(folder); err != nil {
		return nil, "", fmt.Errorf("remove the unfinished import: %w", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, "", fmt.Errorf("create a folder for the pages of the import: %w", err)
	}
	data, err = json.Marshal(spoolHead{source, now.UTC()})
	if err == nil {
		err = s.write(spoolHeadName, data)
	}
	return s, sentence, err
}

// empty reports whether no page has arrived yet.
func (s *spool) empty() bool {
	files, err := os.ReadDir(s.folder)
	return err == nil && len(files) <= 1 // its head
}

func pageName(url string) string {
	sum := sha256.Sum256([]byte(url))
	return fmt.Sprintf("%x.json", sum[:16])
}

// get returns the page of a URL, or nil if it has not arrived yet.
func (s *spool) get(url string) []byte {
	data, err := os.ReadFile(filepath.Join(s.folder, pageName(url)))
	if err != nil {
		return nil // it will be asked for again
	}
	return data
}

func (s *spool) put(url string, page []byte) error {
	return s.write(pageName(url), page)
}

// drop removes the page of a URL, so that it is asked for again.
func (s *spool) drop(url string) error {
	if err := os.Remove(filepath.Join(s.folder, pageName(url))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a page of the import: %w", err)
	}
	return nil
}

func (s *spool) write(name string, data []byte) error {
	err := durable.WriteFile(filepath.Join(s.folder, name), 0o600, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("save a page of the import: %w", err)
	}
	return nil
}
