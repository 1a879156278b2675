package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

const cronFields = "five fields (minute hour day-of-month month day-of-week), @hourly, @daily, @weekly, @monthly, @yearly or @every 5m"

// ParseSchedule reads a standard cron specification of five fields or a
// descriptor such as @hourly or @every 5m, in the given zone (nil for UTC).
// A schedule it returns always has a next time.
func ParseSchedule(spec string, loc *time.Location) (cron.Schedule, error) {
	if loc == nil {
		loc = time.UTC
	}
	spec = strings.TrimSpace(spec)
	fields := strings.Fields(spec)
	switch {
	case spec == "":
		return nil, errors.New("is empty; write " + cronFields)
	case len(spec) > 200:
		return nil, errors.New("is longer than 200 characters; write " + cronFields)
	case strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ="):
		return nil, errors.New("a time zone does not belong here; name it in schedule.time_zone")
	case fields[0] == "@every":
		return parseEvery(fields[1:])
	case strings.HasPrefix(spec, "@"):
	case len(fields) == 6:
		return nil, fmt.Errorf("%q has six fields, but seconds are not supported; write %s", spec, cronFields)
	case len(fields) != 5:
		return nil, fmt.Errorf("%q has %d fields; write %s", spec, len(fields), cronFields)
	case namesSunday7(fields[4]):
		return nil, fmt.Errorf("%q has 7 as a day of the week; Sunday is 0, Saturday is 6", spec)
	}
	schedule, err := parseStandard(spec)
	if err != nil {
		return nil, fmt.Errorf("%q is not a schedule: %w; write %s", spec, err, cronFields)
	}
	if s, ok := schedule.(*cron.SpecSchedule); ok {
		s.Location = loc
	}
	if schedule.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("%q never fires within five years; check the day and the month", spec)
	}
	return schedule, nil
}

// parseEvery stands in for the library's own reading, which rounds to seconds
// and makes one second of zero.
func parseEvery(args []string) (cron.Schedule, error) {
	if len(args) != 1 {
		return nil, errors.New("@every needs one duration; write @every 5m")
	}
	d, err := time.ParseDuration(args[0])
	switch {
	case err != nil:
		return nil, fmt.Errorf("@every %s: that is not a duration; write @every 90s, @every 5m or @every 2h", args[0])
	case d < time.Second:
		return nil, fmt.Errorf("@every %s is less than a second; write @every 1s or more", args[0])
	case d%time.Second != 0:
		return nil, fmt.Errorf("@every %s has a fraction of a second; write whole seconds", args[0])
	}
	return cron.Every(d), nil
}

// parseStandard keeps a panic of the library's parser from being ours.
func parseStandard(spec string) (s cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, errors.New("the parser gave up on it")
		}
	}()
	return cron.ParseStandard(spec)
}

// namesSunday7 reports whether a day-of-week field uses 7, as some crons do.
func namesSunday7(field string) bool {
	for part := range strings.SplitSeq(field, ",") {
		days, _, _ := strings.Cut(part, "/")
		if slices.Contains(strings.Split(days, "-"), "7") {
			return true
		}
	}
	return false
}
