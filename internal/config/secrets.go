package config

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
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

const maxSecretSize = 64 << 10

// tokenLike matches GitHub's tokens: those with a prefix, and the old ones, which
// are 40 hexadecimal digits.
var tokenLike = regexp.MustCompile(`^(gh[pousr]_|github_pat_|[0-9a-f]{40}$)`)

// place is where a secret may be: in the file that a key names, else in the
// environment, else in a credential that systemd's LoadCredential= provides.
type place struct {
	noun        string // what the secret is
	file        *string
	key         string // that file is the value of
	environment string
	credential  string
}

// token finds the GitHub token.
func (c *check) token() {
	g := &c.cfg.GitHub
	at := place{"token", &g.TokenFile, "github.token_file", "GITHUB_TOKEN", "github-token"}
	if tokenLike.MatchString(g.TokenFile) {
		g.TokenFile = ""
		c.problem(&g.TokenFile, nil, at.key, "is a token, not the name of a file; "+noSecrets)
		return
	}
	g.Token, g.TokenSource = c.secret(at)
}

// pingURL finds the URL to ping.
func (c *check) pingURL() {
	n := &c.cfg.Notify
	at := place{"URL", &n.PingURLFile, "notify.ping_url_file", "PKGMETAD_PING_URL", "ping-url"}
	if strings.Contains(n.PingURLFile, "://") {
		n.PingURLFile = ""
		c.problem(&n.PingURLFile, nil, at.key, "is a URL, not the name of a file that holds it; whoever has the URL can ping, so it does not belong here")
		return
	}
	secret, source := c.secret(at)
	if secret.Empty() {
		return
	}
	if u, err := url.Parse(secret.Reveal()); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		message := "what it holds is not an http or https URL; write it like https://hc-ping.com/UUID"
		if source == at.key {
			c.problem(at.file, nil, source, "%s", message)
		} else {
			c.ps.Add(strict.Position{}, source, "%s", message)
		}
		return
	}
	n.PingURL = secret
}

// secret returns the secret that is at a place and where it was found; both are empty
// if there is none.
func (c *check) secret(at place) (secret Secret, source string) {
	path, name := *at.file, at.key
	report := func(format string, args ...any) { c.problem(at.file, nil, at.key, format, args...) }
	if path != "" {
		*at.file = c.absolute(path, at.key)
		path = *at.file
	} else {
		report = func(format string, args ...any) { c.ps.Add(strict.Position{}, name, format, args...) }
		if text := c.env(at.environment); text != "" {
			name = at.environment
			text, message := cleanSecret(text, at.noun)
			if message != "" {
				report("the environment variable %s", message)
				return Secret{}, ""
			}
			return NewSecret(text), name
		}
		folder := c.env("CREDENTIALS_DIRECTORY")
		if folder == "" {
			return Secret{}, ""
		}
		path, name = filepath.Join(folder, at.credential), credentialsFolder+"/"+at.credential
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return Secret{}, ""
		}
	}
	text, message := c.readFile(path, name, at.noun)
	if message == "" {
		text, message = cleanSecret(text, at.noun)
	}
	if message != "" {
		report("%s %s", strict.Quote(path), message)
		return Secret{}, ""
	}
	return NewSecret(text), name
}

// readFile returns what is in the file of a secret, or what is wrong with the file.
func (c *check) readFile(path, source, noun string) (text, message string) {
	f, err := os.Open(path)
	if err != nil {
		return "", "cannot be opened: " + strict.Cause(err).Error() + "; check the path and its permissions" + literalHint(path)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		return "", "is a folder; name the file in it"
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecretSize+1))
	switch {
	case err != nil:
		return "", "cannot be read: " + strict.Cause(err).Error()
	case len(data) > maxSecretSize:
		return "", "is too large for a " + noun + "; name the file that holds only the " + noun
	}
	if info != nil && info.Mode().IsRegular() && info.Mode().Perm()&0o004 != 0 {
		c.cfg.Warnings = append(c.cfg.Warnings, source+": "+strict.Quote(path)+" can be read by everybody on this machine; chmod 600 it")
	}
	return string(data), ""
}

// cleanSecret trims a secret, or says what is wrong with it without repeating it.
func cleanSecret(s, noun string) (text, message string) {
	s = strings.TrimSpace(s)
	switch {
	case s == "":
		return "", "is empty; put the " + noun + " there, or leave the key out to go without one"
	case strings.ContainsAny(s, "\r\n"):
		return "", "has more than one line; keep only the " + noun
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", "has blanks or characters that no " + noun + " has; keep only the " + noun
	}
	return s, ""
}
