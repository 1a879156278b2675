package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"pkgmetad/internal/strict"
)

const noSecrets = "secrets do not belong in this file; use github.token_file, GITHUB_TOKEN or $CREDENTIALS_DIRECTORY/github-token"

var secretName = regexp.MustCompile(`(?i)token|secret|passw|api_?key|credential|private_?key`)

// secretAdvice returns the message for a key that does not exist but whose name is
// that of a secret; "" for any other.
func secretAdvice(key string) string {
	if secretName.MatchString(key) {
		return noSecrets
	}
	return ""
}

const maxTokenSize = 64 << 10

// tokenLike matches GitHub's tokens: those with a prefix, and the old ones, which
// are 40 hexadecimal digits.
var tokenLike = regexp.MustCompile(`^(gh[pousr]_|github_pat_|[0-9a-f]{40}$)`)

// token finds the GitHub token: in github.token_file, else in GITHUB_TOKEN, else
// in the credential that systemd's LoadCredential= provides.
func (c *check) token() {
	switch {
	case c.cfg.GitHub.TokenFile != "":
		c.tokenFromFile()
	case c.env("GITHUB_TOKEN") != "":
		c.tokenFromEnvironment()
	case c.env("CREDENTIALS_DIRECTORY") != "":
		c.tokenFromCredential()
	}
}

func (c *check) tokenFromFile() {
	g := &c.cfg.GitHub
	const key = "github.token_file"
	if tokenLike.MatchString(g.TokenFile) {
		g.TokenFile = ""
		c.problem(&g.TokenFile, nil, key, "is a token, not the name of a file; "+noSecrets)
		return
	}
	g.TokenFile = c.absolute(g.TokenFile)
	text, message := c.readToken(g.TokenFile, key)
	if message != "" {
		c.problem(&g.TokenFile, nil, key, "%s %s", strict.Quote(g.TokenFile), message)
		return
	}
	g.Token, g.TokenSource = NewSecret(text), key
}

func (c *check) tokenFromEnvironment() {
	const name = "GITHUB_TOKEN"
	text, message := cleanToken(c.env(name))
	if message != "" {
		c.ps.Add(strict.Position{}, name, "the environment variable %s", message)
		return
	}
	c.cfg.GitHub.Token, c.cfg.GitHub.TokenSource = NewSecret(text), name
}

func (c *check) tokenFromCredential() {
	const source = "$CREDENTIALS_DIRECTORY/github-token"
	path := filepath.Join(c.env("CREDENTIALS_DIRECTORY"), "github-token")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return
	}
	text, message := c.readToken(path, source)
	if message != "" {
		c.ps.Add(strict.Position{}, source, "%s %s", strict.Quote(path), message)
		return
	}
	c.cfg.GitHub.Token, c.cfg.GitHub.TokenSource = NewSecret(text), source
}

// readToken returns the token in a file, or what is wrong with the file.
func (c *check) readToken(path, source string) (text, message string) {
	f, err := os.Open(path)
	if err != nil {
		return "", "cannot be opened: " + strict.Cause(err).Error() + "; check the path and its permissions"
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		return "", "is a folder; name the file in it"
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTokenSize+1))
	switch {
	case err != nil:
		return "", "cannot be read: " + strict.Cause(err).Error()
	case len(data) > maxTokenSize:
		return "", "is too large for a token; name the file that holds only the token"
	}
	if info != nil && info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		c.cfg.Warnings = append(c.cfg.Warnings, source+": "+strict.Quote(path)+" can be read by everybody on this machine; chmod 600 it")
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
		return "", "has more than one line; keep only the token"
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", "has blanks or characters that no token has; keep only the token"
	}
	return s, ""
}
