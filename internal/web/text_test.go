package web

import (
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{number(0), "0"}, {number(999), "999"}, {number(1000), "1,000"}, {number(-1234567), "−1,234,567"}, {number(123456), "123,456"},
		{count(0, "commit"), "0 commits"}, {count(1, "commit"), "1 commit"}, {count(1200, "pass/passes"), "1,200 passes"}, {count(1, "pass/passes"), "1 pass"},
		{size(1), "1 byte"}, {size(1023), "1,023 bytes"}, {size(1536), "1.5 KiB"}, {size(3_456_789), "3.3 MiB"}, {size(1 << 60), "1048576.0 TiB"},
		{took(0), "0s"}, {took(0.0123), "12ms"}, {took(71.44), "1m11s"}, {took(5.25), "5.3s"}, {took(7200), "2h0m0s"},
		{wordedPercent(0), "0 %"}, {wordedPercent(0.4), "< 1 %"}, {wordedPercent(99.6), "> 99 %"}, {wordedPercent(100), "100 %"}, {wordedPercent(37.2), "37 %"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

// TestWhen: ages are by the days of the page's zone, and the exact time stands beside them.
func TestWhen(t *testing.T) {
	v := templateData{clock: Clock{Now: time.Date(2026, 2, 16, 23, 30, 0, 0, time.UTC), Zone: berlin}}
	then := time.Date(2026, 2, 15, 22, 30, 0, 0, time.UTC) // on the 15th in Berlin too, where now is the 17th
	if got, want := v.When(then), (moment{"2 days ago", "2026-02-15 23:30:00 CET", "2026-02-15T23:30:00+01:00"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAhead(t *testing.T) {
	v := templateData{clock: clock}
	for d, want := range map[time.Duration]string{
		-time.Hour: "any moment now", 0: "any moment now", time.Second: "within a minute", time.Minute: "in 1 minute", 26 * time.Hour: "tomorrow",
	} {
		if got := v.Ahead(now.Add(d)).Text; got != want {
			t.Errorf("%s after now is %q, want %q", d, got, want)
		}
	}
}
