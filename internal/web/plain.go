package web

import (
	"io"
	"net/http"
)

// PlainPage is for everything without a page of its own, such as errors and OPTIONS.
type PlainPage struct {
	Heading string
	Text    string // a sentence, "" for none
	Near    []Link // pages that may have been meant
}

// Plain writes a heading, a sentence and the raw answer, which is unfolded unless it is an
// error.
func Plain(w io.Writer, f Frame, p PlainPage) error {
	return render(w, "plain", templateData{Frame: f, Page: p, Unfolded: f.Answer != nil && f.Answer.Status == http.StatusOK})
}
