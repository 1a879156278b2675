package cluster

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nuid"

	"pkgmetad/internal/durable"
)

// homeFile, in the folder of a host, holds what its starts have in common, and no other host.
const homeFile = "home"

// readHome returns what the folder of a host says that it is, and makes it up if the folder
// says nothing; "" without a folder.
func readHome(folder string) (string, error) {
	if folder == "" {
		return "", nil
	}
	path := filepath.Join(folder, homeFile)
	known, err := os.ReadFile(path)
	if home := strings.TrimSpace(string(known)); err == nil && home != "" {
		return home, nil
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(folder, 0o700); err == nil {
			home := nuid.Next()
			err = durable.WriteFile(path, 0o600, func(w io.Writer) error {
				_, err := io.WriteString(w, home+"\n")
				return err
			})
			if err == nil {
				return home, nil
			}
		}
	}
	return "", fmt.Errorf("the mark of this host: %w", err)
}
