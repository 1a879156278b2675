package github

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pkgmetad/internal/upstream"
)

const canary = "ghp_canary0123456789"

// reply is what the fake GitHub says to one request.
type reply struct {
	status int
	header map[string]string
	body   string
	err    error // the request breaks instead
	cut    error // the body breaks at its end
}

func (r reply) with(name, value string) reply {
	r.header = maps.Clone(r.header)
	if r.header == nil {
		r.header = map[string]string{}
	}
	r.header[name] = value
	return r
}

// but returns r with another body.
func (r reply) but(body string) reply {
	r.body = body
	return r
}

// fake is a GitHub on no network. It answers by path and query; a request for
// which several replies are set gets them in turn, the last one for ever. Where
// the request names the reply's ETag the answer is a 304.
type fake struct {
	mu      sync.Mutex
	replies map[string][]reply
	asked   []string        // "path?query", " if TAG" where conditional
	tokens  map[string]bool // Authorization headers seen
}

func newFake() *fake {
	return &fake{replies: map[string][]reply{
		"/repos/o/n":                           {ok(repoJSON("o/n")).with("ETag", `W/"r"`)},
		"/repos/o/n/contributors?per_page=100": {ok(`[{"login":"ann"},{"login":"bob"}]`).with("ETag", `W/"p1"`)},
		"/repos/o/n/commits?per_page=1":        {ok(commitJSON("2024-05-06T07:08:09+02:00")).with("ETag", `W/"c"`).with("Link", lastLink(7))},
		"/repos/o/n/stats/participation":       {ok(weeksJSON(52, 3)).with("ETag", `W/"w"`)},
	}, tokens: map[string]bool{}}
}

func (f *fake) set(uri string, r ...reply) *fake {
	f.replies[uri] = r
	return f
}

func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	uri := req.URL.RequestURI()
	tag := req.Header.Get("If-None-Match")
	line := uri
	if tag != "" {
		line += " if " + tag
	}
	f.asked = append(f.asked, line)
	f.tokens[req.Header.Get("Authorization")] = true
	q := f.replies[uri]
	if len(q) == 0 {
		return answerTo(req, reply{status: 404, body: `{"message":"Not Found"}`}), nil
	}
	r := q[0]
	if len(q) > 1 {
		f.replies[uri] = q[1:]
	}
	if r.err != nil {
		return nil, r.err
	}
	if tag != "" && tag == r.header["ETag"] {
		r.status, r.body = 304, ""
	}
	return answerTo(req, r), nil
}

func answerTo(req *http.Request, r reply) *http.Response {
	h := http.Header{}
	for k, v := range r.header {
		h.Set(k, v)
	}
	var body io.Reader = strings.NewReader(r.body)
	if r.cut != nil {
		body = io.MultiReader(body, cutReader{r.cut})
	}
	return &http.Response{StatusCode: r.status, Header: h, Body: io.NopCloser(body), Request: req, ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}
}

type cutReader struct{ err error }

func (c cutReader) Read([]byte) (int, error) { return 0, c.err }

func newClient(t testing.TB, wire http.RoundTripper, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{BaseURL: "https://api.test", Token: canary, UserAgent: "test", Transport: wire}
	for _, c := range change {
		c(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func anonymous(o *Options) { o.Token = "" }

func ok(body string) reply {
	return reply{status: 200, body: body, header: map[string]string{"Content-Type": "application/json; charset=utf-8"}}
}

func refuse(status int, body string) reply { return reply{status: status, body: body} }

func repoJSON(fullName string) string {
	return fmt.Sprintf(`{"id":7,"full_name":%q,"stargazers_count":11,"watchers_count":11,"subscribers_count":99,
		"forks_count":4,"description":null,"archived":true,"disabled":false,"pushed_at":"2024-01-02T03:04:05Z"}`, fullName)
}

func commitJSON(committed string) string {
	return fmt.Sprintf(`[{"sha":"0","commit":{"author":{"date":"2001-01-01T00:00:00Z"},"committer":{"date":%q}}}]`, committed)
}

func weeksJSON(n, each int) string {
	w := strings.TrimSuffix(strings.Repeat(fmt.Sprint(each, ","), n), ",")
	return `{"all":[` + w + `],"owner":[]}`
}

func lastLink(last int) string {
	return fmt.Sprintf(`<https://api.test/repositories/7/commits?per_page=1&page=2>; rel="next", <https://api.test/repositories/7/commits?per_page=1&page=%d>; rel="last"`, last)
}

func outcomes(a Answer) [4]upstream.Outcome {
	return [4]upstream.Outcome{a.Repository.Outcome, a.Contributors.Outcome, a.Commits.Outcome, a.Participation.Outcome}
}

func errorsOf(a Answer) [4]*upstream.Error {
	return [4]*upstream.Error{a.Repository.Err, a.Contributors.Err, a.Commits.Err, a.Participation.Err}
}
