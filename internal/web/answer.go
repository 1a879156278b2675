package web

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Answer is an answer of the API, shown below the page as in the API's
// documentation.
type Answer struct {
	Method, Path string // of the request, the path with its query
	Status       int
	Header       [][2]string // names and values: Allow, Content-Type, Vary
	Body         []byte      // JSON, indented
	Base         string      // scheme://host[/prefix] of the links to this service
}

// Reason is the reason phrase of the status, "" for an unknown one.
func (a *Answer) Reason() string { return http.StatusText(a.Status) }

// longestShown is how many bytes of a document a page shows. That is enough for a usual list
// of records; of longer ones most of the page would be folded text that hardly anybody reads.
const longestShown = 256 << 10

// shown is the document up to the end of a line, where it is too long to be shown as a whole.
func (a *Answer) shown() []byte {
	if len(a.Body) <= longestShown {
		return a.Body
	}
	return a.Body[:bytes.LastIndexByte(a.Body[:longestShown], '\n')+1]
}

// LeftOut is how many bytes of the document are not shown.
func (a *Answer) LeftOut() int64 { return int64(len(a.Body) - len(a.shown())) }

// token is a part of a JSON document.
type token struct {
	Text    string // as it is in the document
	Key     bool   // whether it is the name of a member, with its quotes
	Href    string // target of a link, "" for none; the Text of a link has no quotes
	Foreign bool   // whether the link leads to another service
}

// Body splits the answer's document into names of members, strings that are links,
// and the text between them. The tokens joined are what is shown of the document, whatever
// it holds.
func (d templateData) Body() (tokens []token) {
	body := d.Answer.shown()
	done := 0 // body[:done] is in tokens
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

// stringEnd returns the end of the string whose opening quote is at open.
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

// jsonLink returns the target of a JSON string that is an absolute http or https
// URL, and "" for any other. Links to this service get no host, so that they lead to
// the host that the page came from.
func (d templateData) jsonLink(quoted []byte) (href string, foreign bool) {
	if !bytes.HasPrefix(quoted, []byte(`"http`)) && !bytes.HasPrefix(quoted, []byte(`"HTTP`)) {
		return "", false // spare the cost of decoding it
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
