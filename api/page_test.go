package api

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"pkgmetad/internal/record"
)

// TestPages holds the paging of seven records with ids 1 to 7.
func TestPages(t *testing.T) {
	records := &fakeStore{}
	for id := 1; id <= 7; id++ {
		records.packages = append(records.packages, record.Package{Entry: record.Entry{ID: id, Slug: "p" + strconv.Itoa(id)}})
	}
	huge := strings.Repeat("9", 40)
	tests := []struct {
		maxLimit       int
		query          string
		next, previous string // queries; "" for null
		ids            string
	}{
		{0, "", "", "", "7654321"},
		{0, "limit=3", "limit=3&offset=3", "", "765"},
		{0, "limit=3&offset=3", "limit=3&offset=6", "limit=3", "432"},
		{0, "limit=3&offset=4", "", "limit=3&offset=1", "321"},
		{0, "limit=3&offset=6", "", "limit=3&offset=3", "1"},
		{0, "limit=3&offset=7", "", "limit=3&offset=4", ""},
		{0, "offset=2", "", "limit=20", "54321"},
		{0, "limit=7", "", "", "7654321"},
		{0, "limit=6", "limit=6&offset=6", "", "765432"},
		{0, "limit=+0_2", "limit=2&offset=2", "", "76"},
		{0, "limit=%2B2&offset=%201%20", "limit=2&offset=3", "limit=2", "65"},
		{0, "limit=%D9%A2", "limit=2&offset=2", "", "76"},
		{0, "limit=2.0", "", "", "7654321"},
		{0, "limit=2&limit=", "", "", "7654321"},
		{0, "limit=2&limit=3", "limit=3&offset=3", "", "765"},
		{0, "offset=5&offset=x&limit=5", "limit=5&offset=5", "", "76543"},
		{0, "LIMIT=2", "", "", "7654321"},
		{0, "limit=3;offset=3", "", "", "7654321"},
		{0, "z=1&limit=5&a=%26&z=0&b", "a=%26&b=&limit=5&offset=5&z=1&z=0", "", "76543"},
		{0, "limit=5&%6Fffset=1", "limit=5&offset=6", "limit=5", "65432"},

		{0, "limit=" + huge, "", "", "7654321"},
		{0, "limit=" + huge + "&offset=1", "", "limit=" + huge, "654321"},
		{0, "limit=9223372036854775807&offset=9223372036854775807", "", "limit=9223372036854775807", ""},
		{0, "limit=1&offset=9223372036854775808", "", "limit=1&offset=9223372036854775807", ""},
		{0, "limit=2&offset=1" + strings.Repeat("0", 39), "", "limit=2&offset=" + strings.Repeat("9", 38) + "8", ""},
		{0, "limit=" + strings.Repeat("9", maxDigits+1), "", "", "7654321"},
		{0, "limit=" + strings.Repeat("0", 4000) + "5", "limit=5&offset=5", "", "76543"},

		{2, "", "limit=2&offset=2", "", "76"},
		{2, "limit=1", "limit=1&offset=1", "", "7"},
		{2, "limit=2&offset=2", "limit=2&offset=4", "limit=2", "54"},
		{2, "limit=5&offset=3", "limit=2&offset=5", "limit=2&offset=1", "43"},
		{2, "limit=" + huge + "&offset=5&format=json", "", "format=json&limit=2&offset=3", "21"},
	}
	const list = "http://example.com/api/v4/packages/"
	link := func(query string) string {
		if query == "" {
			return "null"
		}
		return list + "?" + query
	}
	for _, test := range tests {
		h := newHandler(t, Options{Store: records, MaxLimit: test.maxLimit})
		w := do(h, "GET", list+"?"+test.query)
		var got struct {
			Count          int
			Next, Previous *string
			Results        []struct{ ID int }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Count != 7 {
			t.Errorf("?%s: %d %v %s", test.query, w.Code, err, w.Body)
			continue
		}
		text := func(s *string) string {
			if s == nil {
				return "null"
			}
			return *s
		}
		ids := ""
		for _, r := range got.Results {
			ids += strconv.Itoa(r.ID)
		}
		if text(got.Next) != link(test.next) || text(got.Previous) != link(test.previous) || ids != test.ids {
			t.Errorf("?%s (cap %d):\n got %s %s %s\nwant %s %s %s", test.query, test.maxLimit,
				text(got.Next), text(got.Previous), ids, link(test.next), link(test.previous), test.ids)
		}
	}
}

func TestPagesOfNothing(t *testing.T) {
	h := newHandler(t, Options{Store: &fakeStore{}})
	for _, target := range []string{"/api/v4/packages/", "/api/v4/grids/?limit=5", "/api/v4/categories/?offset=0"} {
		if got := do(h, "GET", target).Body.String(); got != `{"count":0,"next":null,"previous":null,"results":[]}` {
			t.Errorf("%s: %s", target, got)
		}
	}
	const want = `{"count":0,"next":null,"previous":"http://example.com/api/v4/grids/?limit=5&offset=1","results":[]}`
	if got := do(h, "GET", "/api/v4/grids/?limit=5&offset=6").Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
