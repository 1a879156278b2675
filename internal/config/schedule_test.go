package config

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
		{"@every 8760h", nil, "2025-03-30T12:34:56Z"},
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
		"* * * * 8":              "above maximum",
		"* * * * 1-8":            "above maximum",
		"* * * * 5-7/0":          "step of range should be a positive number",
		"* * * * 5-7/x":          "failed to parse int",
		"0 0 30 2 *":             "never fires",
		", * * * *":              "never fires",
		"61 * * * *":             "above maximum",
		"@reboot":                "unrecognized",
		"@every 0s":              "@every 0s is less than a second",
		"@every -1h":             "less than a second",
		"@every 999ms":           "less than a second",
		"@every 1.5s":            "fraction",
		"@every 1m 2m":           "one duration",
		"@every 9999999h":        "@every 9999999h is too long",
		"@every 8761h":           "is too long",
		"@every 9999999x":        "that is not a duration",
		"@every 1e9h":            "@every 1e9h is too long",
		"@every 1E+400s":         "is too long",
		"@every 1e3s":            "@every 1e3s has an exponent",
		"@every 1e3":             "that is not a duration",
		"@every e3s":             "that is not a duration",
		strings.Repeat("*", 999): "longer than 200",
	} {
		if _, err := ParseSchedule(spec, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", spec, err, want)
		}
	}
}

// TestDaysOfWeek: Sunday is 0 and 7, and may end a range. 2024-03-30 is a
// Saturday.
func TestDaysOfWeek(t *testing.T) {
	from := time.Date(2024, 3, 30, 12, 0, 0, 0, time.UTC)
	for spec, want := range map[string]string{
		"*": "SMTWTFS", "?": "SMTWTFS", "0": "S......", "7": "S......", "7/2": "S......", "sun": "S......", "SUN-SUN": "S......", "7-7": "S......",
		"1-5": ".MTWTF.", "mon-fri/2": ".M.W.F.", "0-6": "SMTWTFS", "*/3": "S..W..S", "3/2": "...W.F.",
		"MON-SUN": "SMTWTFS", "FRI-SUN": "S....FS", "5-7": "S....FS", "5-0": "S....FS", "0-7": "SMTWTFS", "SUN-7": "SMTWTFS",
		"5-7/2": "S....F.", "1-7/3": "SM..T..", "1-7/9": ".M.....", "1-7/9223372036854775807": ".M.....",
		"1,7": "SM.....", "7,WED": "S..W...", "TUE-WED,SAT-SUN": "S.TW..S", "7-3": "SMTW...", "6-7,2": "S.T...S",
		"SAT-MON": "SM....S", "FRI-MON": "SM...FS", "FRI-MON/2": "S....F.", "6-1": "SM....S", "3-2": "SMTWTFS", "SAT-TUE/3": "..T...S", "SAT-MON,WED": "SM.W..S",
	} {
		schedule, err := ParseSchedule("0 0 * * "+spec, nil)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		got := []byte(".......")
		for next := from; ; {
			if next = schedule.Next(next); next.Sub(from) > 7*24*time.Hour {
				break
			}
			got[next.Weekday()] = "SMTWTFS"[next.Weekday()]
		}
		if string(got) != want {
			t.Errorf("%s: %s, want %s", spec, got, want)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, spec := range []string{"*/5 * * * *", "@every 5m", "@hourly", "TZ=", "CRON_TZ=UTC", "1-5/2,7 ? L JAN-dec mon", "* * 30 2 *", "0 0 * * 7", "0 0 * * mon-sun/2", "@every 9999999h", ", , , , ,"} {
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
