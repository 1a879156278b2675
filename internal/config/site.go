package config

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func (c *check) site() {
	s := &c.cfg.Site
	c.line(&s.Name, "site.name", 60, "a short name, such as Example Packages")
	c.line(&s.Description, "site.description", 300, "a sentence on what the site is about")
}

// line checks a text that a page shows on one line, of at most limit characters, and
// removes the spaces around it.
func (c *check) line(field *string, key string, limit int, what string) {
	*field = strings.TrimSpace(*field)
	switch n := utf8.RuneCountInString(*field); {
	case n == 0:
		c.problem(field, &c.cfg.Site, key, "is empty; write %s, or leave the key out", what)
	case n > limit:
		c.problem(field, nil, key, "has %d characters, which is more than %d; write %s", n, limit, what)
	case strings.ContainsFunc(*field, func(r rune) bool { return !unicode.IsGraphic(r) }):
		c.problem(field, nil, key, "has a line break or another character that cannot be seen; write %s, on one line", what)
	}
}
