package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
)

// An answer is a recorded answer of pkgmetad.
type answer struct {
	Path   string // with the query
	Status int
	Header http.Header // without Date
	Body   []byte
	File   string // path of a file with the body, if it is not in Body
}

// plainClient adds no headers to requests, such as for compression.
var plainClient = &http.Client{Transport: &http.Transport{DisableCompression: true}}

func ask(address, path string, header http.Header) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	return plainClient.Do(r)
}

// get records an answer with its body.
func get(address, path string, header http.Header) (a answer, err error) {
	resp, err := ask(address, path, header)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	a = answer{Path: path, Status: resp.StatusCode, Header: resp.Header}
	a.Header.Del("Date")
	a.Body, err = io.ReadAll(resp.Body)
	return a, err
}

// recordHeader records an answer without its body.
func recordHeader(address, path string) (a answer, err error) {
	resp, err := ask(address, path, nil)
	if err != nil {
		return a, err
	}
	resp.Header.Del("Date")
	return answer{Path: path, Status: resp.StatusCode, Header: resp.Header}, resp.Body.Close()
}

// digest requests a path and returns a line with the answer's status and the length
// and hash of its body, which may have any size.
func digest(address, path string, header http.Header) (string, error) {
	resp, err := ask(address, path, header)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, resp.Body)
	return fmt.Sprintf("status %d, %d bytes, SHA-256 %x", resp.StatusCode, n, sum.Sum(nil)), err
}
