package catalogue

import (
	"crypto/sha256"
	"io"
	"os"
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
