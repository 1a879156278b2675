package web

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Answer is an answer of the API, shown below the page in the way that the
// API's documentation shows answers.
type Answer struct {
	Method, Path string // of the request, the path with its query
	Status       int
	Header       [][2]string // names and values: Allow, Content-Type, Vary
	Body         []byte      // JSON, indented
	Base         string      // scheme://host[/prefix] of the links to this service
}

// Reason is the status in words, "" for an unknown one.
func (a *Answer) Reason() string { return http.StatusText(a.Status) }

// token is a stretch of a JSON document.
type token struct {
	Text    string // as it stands in the document
	Key     bool   // the name of a member, with its quotes
	Href    string // of a link, "" for none; its Text has no quotes
	Foreign bool   // the link leads to another service
}

// Body cuts the answer's document into what stands for itself and what does
// not: names of members, and strings that are links. Cutting is all that it
// does: the stretches joined are the document, whatever that holds.
func (d templateData) Body() (tokens []token) {
	body := d.Answer.Body
	done := 0 // up to here body is in tokens
	emit := func(end int, t token) {
		if end > done {
			t.Text = string(body[done:end])
			tokens = append(tokens, t)
			done = end
		}
	}
	for at := 0; ; {
		open := bytes.IndexByte(body[at:], '"')
		if open < 0 {
			break
		}
		open += at
		end := stringEnd(body, open)
		if rest := bytes.TrimLeft(body[end:], " \t\r\n"); len(rest) > 0 && rest[0] == ':' {
			emit(open, token{})
			emit(end, token{Key: true})
		} else if href, foreign := d.jsonLink(body[open:end]); href != "" {
			emit(open+1, token{})
			emit(end-1, token{Href: href, Foreign: foreign})
		}
		at = end
	}
	emit(len(body), token{})
	return tokens
}

// stringEnd returns where the string that opens at a quote has ended.
func stringEnd(body []byte, open int) int {
	for i := open + 1; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(body)
}

// jsonLink returns where a JSON string leads that is the absolute address of
// something on the web, and "" for any other. Links to this service lead to
// the host that the page came from, by whatever name the reader knows it.
func (d templateData) jsonLink(quoted []byte) (href string, foreign bool) {
	if !bytes.HasPrefix(quoted, []byte(`"http`)) && !bytes.HasPrefix(quoted, []byte(`"HTTP`)) {
		return "", false // without the cost of reading it
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return "", false
	}
	if path, own := d.own(s); own {
		return path, false
	}
	return webURL(s), true
}
