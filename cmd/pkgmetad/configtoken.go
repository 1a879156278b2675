package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const maxTokenSize = 64 << 10

// tokenLike knows GitHub's tokens by their prefixes, and the plain ones of old.
var tokenLike = regexp.MustCompile(`^(gh[pousr]_|github_pat_|[0-9a-f]{40}$)`)

// token finds the GitHub token: github.token_file, else GITHUB_TOKEN, else
// what systemd's LoadCredential= hands over, else none.
func (c *configCheck) token() {
	g := &c.cfg.GitHub
	const key = "github.token_file"
	if g.TokenFile != "" {
		if tokenLike.MatchString(g.TokenFile) {
			g.TokenFile = ""
			c.problem(&g.TokenFile, nil, key, "is a token, not the name of a file; "+noSecrets)
			return
		}
		g.TokenFile = c.absolute(g.TokenFile)
		text, message := c.readToken(g.TokenFile, key)
		if message != "" {
			c.problem(&g.TokenFile, nil, key, "%s %s", shortQuote(g.TokenFile), message)
			return
		}
		g.Token, g.TokenSource = NewSecret(text), key
		return
	}
	if value := c.env("GITHUB_TOKEN"); value != "" {
		text, message := cleanToken(value)
		if message != "" {
			c.ps.add(position{}, "GITHUB_TOKEN", "the environment variable %s", message)
			return
		}
		g.Token, g.TokenSource = NewSecret(text), "GITHUB_TOKEN"
		return
	}
	if folder := c.env("CREDENTIALS_DIRECTORY"); folder != "" {
		path := filepath.Join(folder, "github-token")
		const source = "$CREDENTIALS_DIRECTORY/github-token"
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		text, message := c.readToken(path, source)
		if message != "" {
			c.ps.add(position{}, source, "%s %s", shortQuote(path), message)
			return
		}
		g.Token, g.TokenSource = NewSecret(text), source
	}
}

// readToken returns the token in a file, or what is wrong with the file.
func (c *configCheck) readToken(path, source string) (text, message string) {
	f, err := os.Open(path)
	if err != nil {
		return "", "cannot be opened: " + cause(err).Error() + "; check the path and its permissions"
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		return "", "is a folder; name the file in it"
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTokenSize+1))
	switch {
	case err != nil:
		return "", "cannot be read: " + cause(err).Error()
	case len(data) > maxTokenSize:
		return "", "is too large for a token; name the file that holds the token alone"
	}
	if info != nil && info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		c.cfg.Warnings = append(c.cfg.Warnings, source+": "+shortQuote(path)+" can be read by everybody on this machine; chmod 600 it")
	}
	return cleanToken(string(data))
}

// cleanToken trims a token, or says what is wrong with it without repeating it.
func cleanToken(s string) (text, message string) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", "is empty; put the token there, or leave the key out to go without one"
	case strings.ContainsAny(s, "\r\n"):
		return "", "has more than one line; keep the token alone"
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", "has blanks or characters that no token has; keep the token alone"
	}
	return s, ""
}
