package config

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
)

const cronForms = "five fields (minute hour day-of-month month day-of-week), @hourly, @daily, @weekly, @monthly, @yearly or @every 5m"

// ParseSchedule reads a standard cron expression of five fields or a descriptor
// such as @hourly or @every 5m, in the given zone (nil for UTC). In the day of the
// week, Sunday is 0 or 7. A schedule that never fires is an error.
func ParseSchedule(spec string, loc *time.Location) (cron.Schedule, error) {
	if loc == nil {
		loc = time.UTC
	}
	spec = strings.TrimSpace(spec)
	fields := strings.Fields(spec)
	switch {
	case spec == "":
		return nil, errors.New("is empty; write " + cronForms)
	case len(spec) > 200:
		return nil, errors.New("is longer than 200 characters; write " + cronForms)
	case strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ="):
		return nil, errors.New("a time zone does not belong here; name it in schedule.time_zone")
	case fields[0] == "@every":
		return parseEvery(fields[1:])
	case strings.HasPrefix(spec, "@"):
	case len(fields) == 6:
		return nil, fmt.Errorf("%q has six fields, but seconds are not supported; write %s", spec, cronForms)
	case len(fields) != 5:
		return nil, fmt.Errorf("%q has %s; write %s", spec, record.Count(len(fields), "field", "fields"), cronForms)
	default:
		fields[4] = daysOfWeek(fields[4])
	}
	schedule, err := parseStandard(strings.Join(fields, " "))
	if err != nil {
		return nil, fmt.Errorf("%q is not a schedule: %w; write %s", spec, err, cronForms)
	}
	if s, ok := schedule.(*cron.SpecSchedule); ok {
		s.Location = loc
	}
	if schedule.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("%q never fires within five years; check the day and the month", spec)
	}
	return schedule, nil
}

// maxEvery is the longest interval that a schedule may have.
const maxEvery = 365 * 24 * time.Hour

// parseEvery replaces the library's own parser, which rounds to seconds and turns
// zero into one second.
func parseEvery(args []string) (cron.Schedule, error) {
	if len(args) != 1 {
		return nil, errors.New("@every needs one duration; write @every 5m")
	}
	d, err := strict.ParseDuration(args[0])
	long, hasExponent := exponent(args[0])
	switch {
	case hasExponent && long <= maxEvery:
		return nil, fmt.Errorf("@every %s has an exponent; write the number without one", args[0])
	case hasExponent, errors.Is(err, strict.ErrTooLong), d > maxEvery:
		return nil, fmt.Errorf("@every %s is too long; write @every 8760h, which is a year, or less", args[0])
	case err != nil:
		return nil, fmt.Errorf("@every %s: that is not a duration; write @every 90s, @every 5m or @every 2h", args[0])
	case d < time.Second:
		return nil, fmt.Errorf("@every %s is less than a second; write @every 1s or more", args[0])
	case d%time.Second != 0:
		return nil, fmt.Errorf("@every %s has a fraction of a second; write whole seconds", args[0])
	}
	return cron.Every(d), nil
}

var exponentForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)(ns|us|µs|μs|ms|s|m|h)$`)

// exponent reads a duration such as 1e3s, which is of no form that a duration may
// have: ok is false for any other.
func exponent(text string) (d time.Duration, ok bool) {
	m := exponentForm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	number, _ := strconv.ParseFloat(m[1], 64) // infinite if too large
	unit, _ := time.ParseDuration("1" + m[2])
	return time.Duration(min(number*float64(unit), 2*float64(maxEvery))), true
}

// parseStandard turns a panic of the library's parser into an error.
func parseStandard(spec string) (s cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = nil, errors.New("the parser gave up on it")
		}
	}()
	return cron.ParseStandard(spec)
}

// The library counts the days of the week from 0, which is Sunday, to 6, and in no
// range beyond it. People also write Sunday as 7, and ranges such as FRI-MON.
const sunday = 7

// daysOfWeek returns a day-of-week field with the days as the library counts them.
// What is not valid is left for the library to report.
func daysOfWeek(field string) string {
	parts := strings.Split(field, ",")
	for i, part := range parts {
		parts[i] = daysOfPart(part)
	}
	return strings.Join(parts, ",")
}

// daysOfPart does so for one part of a list: a day or a range, optionally with a
// step.
func daysOfPart(part string) string {
	days, stepText, hasStep := strings.Cut(part, "/")
	step, err := strconv.Atoi(stepText)
	if !hasStep {
		step, err = 1, nil
	}
	if err != nil || step < 1 {
		return "*/" + stepText // for the library to report the step
	}
	step = min(step, sunday) // any longer step selects only the first day as well
	firstText, lastText, isRange := strings.Cut(days, "-")
	if !isRange {
		if days == "7" {
			return "0" // even with a step, since no day follows it
		}
		return part
	}
	first, ok1 := dayNumber(firstText)
	last, ok2 := dayNumber(lastText)
	if !ok1 || !ok2 {
		return part
	}
	if last == 0 && first > 0 {
		last = sunday
	}
	if first == sunday && last < sunday {
		first = 0
	}
	if last < first { // as in SAT-MON
		last += sunday
	}
	var list []string
	for day := first; day <= last; day += step {
		list = append(list, strconv.Itoa(day%sunday))
	}
	return strings.Join(list, ",")
}

// dayNumber reads a day: 0 to 7, or the first three letters of its English name,
// where Sunday is 0.
func dayNumber(s string) (day int, ok bool) {
	for day, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		if strings.EqualFold(s, name) {
			return day, true
		}
	}
	day, err := strconv.Atoi(s)
	return day, err == nil && day >= 0 && day <= sunday
}
