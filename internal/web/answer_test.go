package web

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func answered(body string) templateData {
	return templateData{Frame: Frame{Prefix: prefix, Answer: &Answer{Body: []byte(body), Base: "https://facts.example" + prefix}}}
}

func TestBody(t *testing.T) {
	const own, foreign = "https://facts.example/facts", "https://other.example"
	tests := []struct {
		body string
		want []token
	}{
		{``, nil},
		{`[1, null]`, []token{{Text: `[1, null]`}}},
		{`{"a": "b"}`, []token{{Text: `{`}, {Text: `"a"`, Key: true}, {Text: `: "b"}`}}},
		{`{"a" : 1}`, []token{{Text: `{`}, {Text: `"a"`, Key: true}, {Text: ` : 1}`}}},
		{`"` + foreign + `/x"`, []token{{Text: `"`}, {Text: foreign + `/x`, Href: foreign + "/x", Foreign: true}, {Text: `"`}}},
		{`["` + own + `/api/?a=b&c=d"]`, []token{{Text: `["`}, {Text: own + `/api/?a=b&c=d`, Href: "/facts/api/?a=b&c=d"}, {Text: `"]`}}},
		{`"` + own + `"`, []token{{Text: `"`}, {Text: own, Href: "/facts/"}, {Text: `"`}}},
		{`"https://facts.example/factsheet"`, []token{{Text: `"`}, {Text: "https://facts.example/factsheet", Href: "https://facts.example/factsheet", Foreign: true}, {Text: `"`}}},
		{`"` + foreign + `/\u00e9"`, []token{{Text: `"`}, {Text: foreign + `/\u00e9`, Href: foreign + "/é", Foreign: true}, {Text: `"`}}},
		{`"see ` + foreign + `"`, []token{{Text: `"see ` + foreign + `"`}}},
		{`"` + foreign + ` and more"`, []token{{Text: `"` + foreign + ` and more"`}}},
		{`"javascript:alert(1)"`, []token{{Text: `"javascript:alert(1)"`}}},
		{`"https://user@other.example/"`, []token{{Text: `"https://user@other.example/"`}}},
		{`"https://other.example/\n"`, []token{{Text: `"https://other.example/\n"`}}},
		{`"\"` + foreign + `"`, []token{{Text: `"\"` + foreign + `"`}}},
		{`"` + foreign, []token{{Text: `"` + foreign}}},
		{`"\`, []token{{Text: `"\`}}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, answered(test.body).Body()); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.body, diff)
		}
	}
}

// FuzzBody: nothing of the document is lost, and whatever it holds, a link
// leads to the web or to a path below the prefix.
func FuzzBody(f *testing.F) {
	f.Add(string(answer().Body))
	f.Add(`{"a": "https://facts.example/facts//evil.example/", "b": "https:\/\/x.example", "c": "\`)
	f.Fuzz(func(t *testing.T, body string) {
		var joined strings.Builder
		for _, token := range answered(body).Body() {
			joined.WriteString(token.Text)
			switch {
			case token.Href == "":
			case token.Foreign && !strings.HasPrefix(strings.ToLower(token.Href), "http"),
				!token.Foreign && !strings.HasPrefix(token.Href, prefix+"/"):
				t.Errorf("%q leads to %q", token.Text, token.Href)
			}
		}
		if joined.String() != body {
			t.Errorf("%q became %q", body, joined.String())
		}
	})
}

// TestLongAnswer: of a document that is too long, the page shows whole lines, and where all
// of it is.
func TestLongAnswer(t *testing.T) {
	const line = "\n    \"https://facts.example/facts/api/v4/packages/1/\","
	for lines, cut := range map[int]bool{longestShown/len(line) - 1: false, longestShown/len(line) + 1: true} {
		d := answered("[" + strings.Repeat(line, lines) + "\n]")
		d.Frame.JSON = "/api/v4/grids/1/?format=json"
		text := ""
		for _, token := range d.Body() {
			text += token.Text
		}
		if whole := text == string(d.Answer.Body); whole == cut || !strings.HasPrefix(string(d.Answer.Body), text) || cut && !strings.HasSuffix(text, ",\n") {
			t.Errorf("%d lines: %d bytes of %d are shown, until %q", lines, len(text), len(d.Answer.Body), text[len(text)-10:])
		}
		if left := d.Answer.LeftOut(); left != int64(len(d.Answer.Body)-len(text)) {
			t.Errorf("%d lines: %d bytes are left out", lines, left)
		}
		var b bytes.Buffer
		if err := Plain(&b, d.Frame, PlainPage{Heading: "x"}); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(b.String(), `left out here: <a href="/facts/api/v4/grids/1/?format=json">all of the JSON</a>.`); told != cut {
			t.Errorf("%d lines: the page says that some are left out: %v", lines, told)
		}
	}
}

// TestAnswerIsFolded: on every page, but for those that have nothing else.
func TestAnswerIsFolded(t *testing.T) {
	for name, page := range samples(t) {
		if open := strings.Contains(page, `<details class="answer" open>`); open != (name == "plain answer") || !open && !strings.Contains(page, `<details class="answer">`) {
			t.Errorf("%s: the answer is unfolded: %t", name, open)
		}
	}
}

func TestAnswerIsShownAsDocumented(t *testing.T) {
	page := samples(t)["package"]
	for _, want := range []string{
		`<b>GET</b> /api/v4/packages/django-crispy-forms/`,
		"<b>HTTP 200 OK</b>\n<b>Allow:</b> GET, HEAD, OPTIONS\n<b>Content-Type:</b> application/json\n<b>Vary:</b> Accept\n",
		`<span class="key">&#34;category&#34;</span>: &#34;<a href="/facts/api/v4/categories/1/">https://facts.example/facts/api/v4/categories/1/</a>&#34;`,
		`&#34;<a href="https://github.com/django-crispy-forms/django-crispy-forms" rel="nofollow noopener">`,
		`\&#34;&gt;&lt;img src=x onerror=alert(1)&gt;`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
