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
	switch {
	case key == "secret":
		return "secrets do not belong in this file; write this one into a file of its own, and the file's path as secret_file"
	case secretName.MatchString(key):
		return noSecrets
	}
	return ""
}

const maxSecretSize = 64 << 10

// tokenLike matches GitHub's tokens: those with a prefix, and the old ones, which
// are 40 hexadecimal digits.
var tokenLike = regexp.MustCompile(`^(gh[pousr]_|github_pat_|[0-9a-f]{40}$)`)

// place is where a secret may be: in the file that a key names, else in the
// environment if that has a name for it, else in a credential that systemd's
// LoadCredential= provides.
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
		if !c.locate(at.file, at.key, "the "+at.noun+" is left out") {
			return Secret{}, ""
		}
		path = *at.file
	} else {
		report = func(format string, args ...any) { c.ps.Add(strict.Position{}, name, format, args...) }
		if text := c.variable(at.environment); text != "" {
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

// variable returns the value of an environment variable; "" for none.
func (c *check) variable(name string) string {
	if name == "" {
		return ""
	}
	return c.env(name)
}

// locate makes the path of a file that a key names absolute. The file may be one that
// systemd provides: then it reports false if none are provided here, and warns of what
// that means.
func (c *check) locate(file *string, key, without string) bool {
	name, provided := strings.CutPrefix(*file, credentialsFolder+"/")
	if !provided {
		*file = c.absolute(*file, key)
		return true
	}
	folder := c.env("CREDENTIALS_DIRECTORY")
	if folder == "" { // a command beside the service, which gets on without
		c.warn(key, "there is no %s here, which systemd gives a unit with LoadCredential=; %s", credentialsFolder, without)
		return false
	}
	*file = filepath.Join(folder, name)
	return true
}

// readFile returns what is in the file of a secret, or what is wrong with the file.
func (c *check) readFile(path, source, noun string) (text, message string) {
	text, mode, message := readSmallFile(path, noun)
	c.warnOfReaders(path, source, mode)
	return text, message
}

// warnOfReaders warns of the file of a secret that everybody can read.
func (c *check) warnOfReaders(path, source string, mode fs.FileMode) {
	if mode.IsRegular() && mode.Perm()&0o004 != 0 {
		c.warn(source, "%s can be read by everybody on this machine; chmod 600 it", strict.Quote(path))
	}
}

// readSmallFile returns what is in a file and its mode, or what is wrong with it.
func readSmallFile(path, noun string) (text string, mode fs.FileMode, message string) {
	f, err := os.Open(path)
	if err != nil {
		return "", fs.ModeIrregular, "cannot be opened: " + strict.Cause(err).Error() + "; check the path and its permissions" + literalHint(path)
	}
	defer f.Close()
	mode = fs.ModeIrregular // of one that tells none
	if info, err := f.Stat(); err == nil {
		mode = info.Mode()
	}
	if mode.IsDir() {
		return "", mode, "is a folder; name the file in it"
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecretSize+1))
	switch {
	case err != nil:
		return "", mode, "cannot be read: " + strict.Cause(err).Error()
	case len(data) > maxSecretSize:
		return "", mode, "is too large for a " + noun + "; name the file that holds only the " + noun
	}
	return string(data), mode, ""
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
