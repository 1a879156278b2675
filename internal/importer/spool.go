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

// maxSpoolAge is how long the pages of a broken walk are good: after a day the
// site has moved on, and its pages no longer fit together.
const maxSpoolAge = 24 * time.Hour

// spool keeps the pages of a walk in a folder, each in a file named by its URL,
// until what they hold is safe, or refused. A page is written beside its place, synced
// and renamed: whatever ends the program, the file is whole or not there.
type spool struct{ folder string }

// spoolHead says what the pages in a spool are of. It is written first.
type spoolHead struct {
	Source  string    `json:"source"`
	Started time.Time `json:"started"`
}

const spoolHeadName = "source.json"

// openSpool goes on with the spool in folder, where it is one of this source and
// still good, and otherwise begins an empty one. The sentence tells a person
// which, where there was one at all.
func openSpool(folder, source string, now time.Time) (s *spool, sentence string, err error) {
	s = &spool{folder}
	var head spoolHead
	data, err := os.ReadFile(filepath.Join(folder, spoolHeadName))
	switch age := time.Duration(0); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, "", fmt.Errorf("go on with the import that was begun: %w", err)
	case json.Unmarshal(data, &head) != nil:
		sentence = "the import that was begun here is unreadable; starting anew"
	case head.Source != source:
		sentence = fmt.Sprintf("an import of %s was begun here and is given up; starting anew with %s", head.Source, source)
	default:
		age = now.Sub(head.Started)
		if age >= 0 && age <= maxSpoolAge {
			return s, "going on with the import that was begun at " + head.Started.UTC().Format(time.RFC3339), nil
		}
		sentence = fmt.Sprintf("the import that was begun at %s is too old to go on with; starting anew", head.Started.UTC().Format(time.RFC3339))
	}
	if err := os.RemoveAll(folder); err != nil {
		return nil, "", fmt.Errorf("clear away the import that was begun: %w", err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, "", fmt.Errorf("make a folder for the pages of the import: %w", err)
	}
	data, err = json.Marshal(spoolHead{source, now.UTC()})
	if err == nil {
		err = s.write(spoolHeadName, data)
	}
	return s, sentence, err
}

func pageName(url string) string {
	sum := sha256.Sum256([]byte(url))
	return fmt.Sprintf("%x.json", sum[:16])
}

// get returns the page of a URL; nil: it has not arrived yet.
func (s *spool) get(url string) []byte {
	data, err := os.ReadFile(filepath.Join(s.folder, pageName(url)))
	if err != nil {
		return nil // then it is asked for again
	}
	return data
}

func (s *spool) put(url string, page []byte) error {
	return s.write(pageName(url), page)
}

// drop removes the page of a URL, so that it is asked for again.
func (s *spool) drop(url string) error {
	if err := os.Remove(filepath.Join(s.folder, pageName(url))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("give up a page of the import: %w", err)
	}
	return nil
}

func (s *spool) write(name string, data []byte) error {
	err := durable.WriteFile(filepath.Join(s.folder, name), 0o600, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a page of the import: %w", err)
	}
	return nil
}
