package catalogue

import (
	"crypto/sha256"
	"hash"
	"io"
	"os"

	"github.com/cespare/xxhash/v2"
)

// Digest returns a hash of a catalogue file, of the running program and of urls; nil
// if the file or the program cannot be read. Another program may read the same file
// differently, and so does one with other settings for URLs, such as the host of
// repository URLs, which the caller passes as urls. A catalogue with the digest of
// the one that the store has need not be read again.
func Digest(path, urls string) []byte {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	sum := sha256.New()
	// The program is large, every start hashes it, and nobody makes one to collide: so not by SHA-256.
	if err := addFile(sum, program, xxhash.New()); err != nil {
		return nil
	}
	if err := addFile(sum, path, sha256.New()); err != nil {
		return nil
	}
	sum.Write([]byte(urls))
	return sum.Sum(nil)
}

// addFile adds the hash of a file to sum.
func addFile(sum io.Writer, path string, of hash.Hash) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(of, f); err != nil {
		return err
	}
	_, err = sum.Write(of.Sum(nil))
	return err
}
