package catalogue

import (
	"crypto/sha256"
	"io"
	"os"
)

// Digest names the content of a catalogue file as this very program understands
// it; nil if the file or the program cannot be read. urls names how its URLs are
// read, such as the host that repository URLs carry: where that differs, the same
// file means something else. A catalogue with the digest of the one that the store
// has taken over need not be read again.
func Digest(path, urls string) []byte {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	sum := sha256.New()
	for _, name := range []string{program, path} {
		content, err := fileSum(name)
		if err != nil {
			return nil
		}
		sum.Write(content)
	}
	sum.Write([]byte(urls))
	return sum.Sum(nil)
}

func fileSum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return sum.Sum(nil), err
}
