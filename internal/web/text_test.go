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

func TestDistance(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0: "just now", 59 * time.Second: "just now", -59 * time.Second: "just now", -time.Minute: "in 1 minute",
		time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago", -5 * time.Minute: "in 5 minutes",
		time.Hour: "1 hour ago", 47 * time.Hour: "47 hours ago", 2 * day: "2 days ago", 59 * day: "59 days ago",
		60 * day: "2 months ago", 729 * day: "24 months ago", 730 * day: "2 years ago", -3 * 365 * day: "in 3 years",
	} {
		if got := distance(now.Add(-d), now); got != want {
			t.Errorf("%s before now is %q, want %q", d, got, want)
		}
	}
}

func TestAhead(t *testing.T) {
	v := templateData{clock: clock}
	for d, want := range map[time.Duration]string{
		-time.Hour: "any moment now", 0: "any moment now", time.Second: "within a minute", time.Minute: "in 1 minute", 26 * time.Hour: "in 26 hours",
	} {
		if got := v.Ahead(now.Add(d)).Text; got != want {
			t.Errorf("%s after now is %q, want %q", d, got, want)
		}
	}
}
