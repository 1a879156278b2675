package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"

	"pkgmetad/internal/strict"
)

// credentialName is what may be the name of a credential, which is a label of metrics.
var credentialName = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9_.]{0,39}$`)

// credentials checks the list of credentials, and reads their secrets.
func (c *check) credentials() {
	first := map[string]int{"default": 0, "anonymous": 0} // number in the list, from 1
	for i := range c.cfg.GitHub.Credentials {
		cr := &c.cfg.GitHub.Credentials[i]
		key := fmt.Sprintf("github.credentials[#%d]", i+1)
		number, taken := first[cr.Name]
		switch {
		case cr.Name == "":
			c.problem(&cr.Name, cr, key+".name", "is required; write a short name for the log and the status, such as ci")
		case !credentialName.MatchString(cr.Name):
			c.problem(&cr.Name, cr, key+".name", "%s is not a name; write up to 40 letters, digits, hyphens, dots and underscores, such as ci", strict.Quote(cr.Name))
		case taken && number == 0:
			c.problem(&cr.Name, cr, key+".name", "%q is the name of what github.token_file and GITHUB_TOKEN give; write another one", cr.Name)
		case taken:
			c.problem(&cr.Name, cr, key+".name", "%q is already the name of credential #%d; write another one", cr.Name, number)
		default:
			first[cr.Name] = i + 1
		}
		c.credential(cr, key)
	}
}

// credential checks one credential, and reads its secret.
func (c *check) credential(cr *Credential, key string) {
	given := 0
	for _, is := range []bool{cr.TokenFile != "", cr.App != App{}, cr.OAuth != OAuth{}} {
		if is {
			given++
		}
	}
	if given != 1 {
		c.problem(cr, nil, key, "needs one of token_file, app (id, installation, key_file) and oauth (id, secret_file), not %s", [...]string{"none", "", "two", "all three"}[given])
		return
	}
	file, noun := &cr.TokenFile, "token"
	switch {
	case cr.App != App{}:
		file, noun = &cr.App.KeyFile, "private key"
		c.positive(&cr.App.ID, &cr.App, key+".app.id", "the app's id, which its settings on GitHub show")
		c.positive(&cr.App.Installation, &cr.App, key+".app.installation", "the number at the end of the installation's address on GitHub")
	case cr.OAuth != OAuth{}:
		file, noun = &cr.OAuth.SecretFile, "secret"
		if cr.OAuth.ID == "" {
			c.problem(&cr.OAuth.ID, &cr.OAuth, key+".oauth.id", "is required; write the client id that the app's settings on GitHub show")
		}
	}
	c.credentialSecret(cr, file, noun, key+"."+cr.secretKey())
}

func (c *check) positive(field *int, section any, key, what string) {
	if *field <= 0 {
		c.problem(field, section, key, "is required; write %s", what)
	}
}

// credentialSecret reads the file that holds a credential's secret.
func (c *check) credentialSecret(cr *Credential, file *string, noun, key string) {
	report := func(format string, args ...any) { c.problem(file, cr, key, format, args...) }
	switch {
	case *file == "":
		report("is required; write the path of the file that holds the %s, and nothing else", noun)
		return
	case tokenLike.MatchString(*file) || strings.Contains(*file, "-----BEGIN"):
		*file = ""
		report("is a secret, not the name of a file; %s", noSecrets)
		return
	}
	if !c.locate(file, key, "this credential is left out") {
		return
	}
	text, message := c.readFile(*file, key, noun)
	if message == "" {
		if cr.App != (App{}) {
			message = checkKey(text)
		} else {
			text, message = cleanSecret(text, noun)
		}
	}
	if message != "" {
		report("%s %s", strict.Quote(*file), message)
		return
	}
	cr.Secret = NewSecret(text)
}

// credentialsFolder is how a file names the folder of the credentials that systemd provides.
const credentialsFolder = "$CREDENTIALS_DIRECTORY"

// checkKey says what is wrong with the private key of an app, "" for nothing.
func checkKey(text string) string {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "holds no private key in PEM form; name the .pem file that GitHub made for the app"
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return ""
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if _, isRSA := key.(*rsa.PrivateKey); isRSA {
			return ""
		}
	}
	return "holds no RSA private key; name the .pem file that GitHub made for the app"
}
