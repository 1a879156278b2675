package main

import (
	"strings"
	"testing"
	"time"
)

func TestParseSchedule(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2024, 3, 30, 12, 34, 56, 0, time.UTC)
	for _, tt := range []struct {
		spec string
		loc  *time.Location
		want string
	}{
		{"*/5 * * * *", nil, "2024-03-30T12:35:00Z"},
		{" 0 3 * * SUN ", nil, "2024-03-31T03:00:00Z"},
		{"0 3 * * *", berlin, "2024-03-31T01:00:00Z"},
		{"@hourly", nil, "2024-03-30T13:00:00Z"},
		{"@daily", berlin, "2024-03-30T23:00:00Z"},
		{"@every 90s", nil, "2024-03-30T12:36:26Z"},
		{"0 0 29 2 *", nil, "2028-02-29T00:00:00Z"},
	} {
		s, err := ParseSchedule(tt.spec, tt.loc)
		if err != nil {
			t.Errorf("%q: %v", tt.spec, err)
			continue
		}
		if got := s.Next(from).UTC().Format(time.RFC3339); got != tt.want {
			t.Errorf("%q: next %s, want %s", tt.spec, got, tt.want)
		}
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		"":                       "is empty",
		" ":                      "is empty",
		"TZ=":                    "schedule.time_zone",
		"TZ=0":                   "schedule.time_zone",
		"CRON_TZ=UTC":            "schedule.time_zone",
		" TZ=UTC * * * * *":      "schedule.time_zone",
		"* * * *":                "4 fields",
		"0 * * * * *":            "seconds are not supported",
		"* * * * 7":              "Sunday is 0",
		"* * * * 1-7":            "Sunday is 0",
		"* * * * 1,7/2":          "Sunday is 0",
		"0 0 30 2 *":             "never fires",
		", * * * *":              "never fires",
		"61 * * * *":             "above maximum",
		"@reboot":                "unrecognized",
		"@every 0s":              "@every 0s is less than a second",
		"@every -1h":             "less than a second",
		"@every 999ms":           "less than a second",
		"@every 1.5s":            "fraction",
		"@every 1m 2m":           "one duration",
		strings.Repeat("*", 999): "longer than 200",
	} {
		if _, err := ParseSchedule(spec, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", spec, err, want)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, spec := range []string{"*/5 * * * *", "@every 5m", "@hourly", "TZ=", "CRON_TZ=UTC", "1-5/2,7 ? L JAN-dec mon", "* * 30 2 *", "0 0 * * 7", ", , , , ,"} {
		f.Add(spec)
	}
	lordHowe, err := time.LoadLocation("Australia/Lord_Howe") // half an hour of summer time
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		for _, loc := range []*time.Location{nil, lordHowe} {
			if s, err := ParseSchedule(spec, loc); err == nil && s.Next(time.Now()).IsZero() {
				t.Errorf("%q never fires", spec)
			}
		}
	})
}
