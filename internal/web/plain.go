package web

import "io"

// PlainPage is for everything without a page of its own, such as errors and OPTIONS.
type PlainPage struct {
	Heading string
	Text    string // a sentence, "" for none
}

// Plain writes a heading, a sentence and the raw answer.
func Plain(w io.Writer, f Frame, p PlainPage) error {
	return render(w, "plain", templateData{Frame: f, Page: p})
}
