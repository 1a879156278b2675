package render

import (
	"encoding/json"
	"testing"
	"time"
)

func TestAppendString(t *testing.T) {
	for s, want := range map[string]string{
		"":                                `""`,
		"plain":                           `"plain"`,
		"\x00\x01\x1f\x7f\b\f\n\r\t\v":    `"\u0000\u0001\u001f` + "\x7f" + `\b\f\n\r\t\u000b"`,
		`"\/<>&'`:                         `"\"\\/<>&'"`,
		"€ü🚀":                             `"€ü🚀"`,
		"a\u2028b\u2029c":                 `"a\u2028b\u2029c"`,
		"\u2027\u202a\u20a8\u2028":        "\"\u2027\u202a\u20a8" + `\u2028"`,
		"\u0080\u00e2\ufeff":              "\"\u0080\u00e2\ufeff\"",
		"cut \xe2\x80":                    "\"cut \ufffd\ufffd\"",
		"\xe2":                            "\"\ufffd\"",
		"<script>alert(\"x\")</script>\n": `"<script>alert(\"x\")</script>\n"`,
	} {
		if got := string(appendString(nil, s)); got != want {
			t.Errorf("appendString(%q) = %s, want %s", s, got, want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	f.Add("")
	f.Add("\u2028 \u2029 \xe2\x80 \xff \x00 \" \\")
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q became %s: %v", s, b, err)
		}
		if want := string([]rune(s)); got != want {
			t.Fatalf("%q reads back as %q", want, got)
		}
	})
}

func TestAppendTime(t *testing.T) {
	tests := []struct {
		zone string
		time time.Time
		want string
	}{
		{"UTC", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05Z"},
		{"UTC", time.Date(2026, 1, 2, 3, 4, 5, 999, time.UTC), "2026-01-02T03:04:05Z"},
		{"UTC", time.Date(2026, 1, 2, 3, 4, 5, 1999, time.UTC), "2026-01-02T03:04:05.000001Z"},
		{"UTC", time.Date(99, 1, 1, 0, 0, 0, 0, time.UTC), "0099-01-01T00:00:00Z"},
		{"Europe/London", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05Z"},
		{"Europe/London", time.Date(2026, 7, 2, 3, 4, 5, 10_000, time.UTC), "2026-07-02T04:04:05.000010+01:00"},
		{"Asia/Kolkata", time.Date(2026, 1, 2, 3, 4, 5, 500_000_000, time.UTC), "2026-01-02T08:34:05.500000+05:30"},
		{"Asia/Kathmandu", time.Date(1900, 1, 2, 3, 4, 5, 0, time.UTC), "1900-01-02T08:45:21+05:41:16"},
		{"Pacific/Kiritimati", time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC), "2026-01-01T13:00:00+14:00"},
		{"America/St_Johns", time.Date(2026, 3, 8, 6, 0, 0, 0, time.UTC), "2026-03-08T03:30:00-02:30"},
		{"America/New_York", time.Date(1880, 1, 2, 3, 4, 5, 999_999_000, time.UTC), "1880-01-01T22:08:03.999999-04:56:02"},
		{"America/New_York", time.Date(2026, 7, 1, 12, 0, 0, 0, time.FixedZone("", 7200)), "2026-07-01T06:00:00-04:00"},
		{"Africa/Monrovia", time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), "1959-12-31T23:15:30-00:44:30"},
	}
	for _, test := range tests {
		zone, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(appendTime(nil, test.time, zone)); got != test.want {
			t.Errorf("%s in %s is %s, want %s", test.time, test.zone, got, test.want)
		}
	}
}

func TestIndent(t *testing.T) {
	e := Encoder{indent: 1}
	e.Open('{')
	e.Key("a")
	e.Open('[')
	e.Item()
	e.Open('{')
	e.Close('}')
	e.Item()
	e.Ints([]int{1, -2})
	e.Item()
	e.Strings()
	e.Close(']')
	e.Key("b")
	e.Bool(true)
	e.Close('}')
	const nested = "{\n \"a\": [\n  {},\n  [\n   1,\n   -2\n  ],\n  []\n ],\n \"b\": true\n}"
	if got := string(e.buf); got != nested {
		t.Errorf("got  %s\nwant %s", got, nested)
	}
}

func BenchmarkTime(b *testing.B) {
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		b.Fatal(err)
	}
	t := time.Date(2026, 7, 1, 12, 0, 0, 123456000, time.UTC)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = appendTime(buf[:0], t, zone)
	}
}

// TestPython: as json.dumps(v) in Python 3 writes it.
func TestPython(t *testing.T) {
	var e Encoder
	e.ResetPython()
	e.Open('{')
	e.Key("a")
	e.Open('[')
	e.Close(']')
	e.Key("b")
	e.Ints([]int{1, -2})
	e.Key("c")
	e.String("\"\\/<>&' ~\x7f\x00\x1f\b\f\n\r\t\u00fc\u2028\uffff\U0001f680\U0010ffff\xe2\x80")
	e.Key("d")
	e.Null()
	e.Close('}')
	const want = `{"a": [], "b": [1, -2], "c": "\"\\/<>&' ~\u007f\u0000\u001f\b\f\n\r\t\u00fc\u2028\uffff\ud83d\ude80\udbff\udfff\ufffd\ufffd", "d": null}`
	if got := string(e.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	e.Reset(0)
	e.Strings("ü", "a")
	if got := string(e.Bytes()); got != `["ü","a"]` {
		t.Errorf("the next document is %s", got)
	}
}

func TestTimeV3(t *testing.T) {
	for in, want := range map[string]string{
		"2012-12-26T04:29:30.670172-05:00": `"2012-12-26T09:29:30.670Z"`,
		"2012-12-26T09:29:30.999999Z":      `"2012-12-26T09:29:30.999Z"`,
		"2012-12-26T09:29:30.00012Z":       `"2012-12-26T09:29:30.000Z"`,
		"2012-12-26T09:29:30.000000999Z":   `"2012-12-26T09:29:30Z"`,
		"2012-12-26T09:29:30Z":             `"2012-12-26T09:29:30Z"`,
		"0001-01-01T00:00:00Z":             "null",
	} {
		at, err := time.Parse(time.RFC3339Nano, in)
		if err != nil {
			t.Fatal(err)
		}
		var e Encoder
		e.timeV3(at)
		if got := string(e.Bytes()); got != want {
			t.Errorf("%s is written %s, want %s", in, got, want)
		}
	}
}
