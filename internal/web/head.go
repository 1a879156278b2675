package web

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// summaryLength is how many characters of a description search engines show at most.
const summaryLength = 200

// Summary is what is on the page in one line of text.
func (f Frame) Summary() string {
	return shortened(cmp.Or(strings.Join(strings.Fields(f.Description), " "), f.Site.Description), summaryLength)
}

// Heading is what the page is called where the site is named beside it.
func (f Frame) Heading() string { return cmp.Or(f.Title, f.Site.Name) }

// Canonical is the absolute URL of Path.
func (f Frame) Canonical() string { return f.Base + f.Path }

// shortened returns the text, cut after a word if it has more characters than the limit.
func shortened(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	cut := string([]rune(text)[:limit-1])
	if space := strings.LastIndexByte(cut, ' '); space > 0 {
		cut = cut[:space]
	}
	return strings.TrimRight(cut, " .,;:") + "…"
}
