package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Zone is what the times of a source show of its time zone: an offset from UTC for
// each month.
type Zone struct {
	samples map[monthOffset]time.Time
}

// monthOffset is a month and an offset from UTC, in seconds, of times in it. A month in
// which the clocks change has two.
type monthOffset struct {
	year, offset int
	month        time.Month
}

func (z *Zone) saw(t time.Time, offset int) {
	s := monthOffset{t.Year(), offset, t.Month()}
	if _, known := z.samples[s]; known {
		return
	}
	if z.samples == nil {
		z.samples = make(map[monthOffset]time.Time)
	}
	z.samples[s] = t
}

// Is reports whether times in loc are written as the source writes them.
func (z *Zone) Is(loc *time.Location) bool {
	for s, t := range z.samples {
		if _, offset := t.In(loc).Zone(); offset != s.offset {
			return false
		}
	}
	return true
}

// zones are the ones that sites of this API are likely to use: UTC and Django's own
// default first, then the most populous.
var zones = []string{
	"UTC", "America/Chicago", "America/New_York", "America/Los_Angeles", "America/Denver", "Europe/London", "Europe/Berlin",
	"Europe/Athens", "Europe/Moscow", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "America/Sao_Paulo", "Australia/Sydney",
	"America/Bogota", "America/Mexico_City", "America/Phoenix", "America/Halifax", "Africa/Lagos", "Africa/Johannesburg",
	"Africa/Nairobi", "Europe/Istanbul", "Asia/Dubai", "Asia/Karachi", "Asia/Dhaka", "Asia/Bangkok", "Asia/Kathmandu",
	"Pacific/Auckland", "Pacific/Honolulu",
}

// String names a zone that fits, or else lists the offsets.
func (z *Zone) String() string {
	for _, name := range zones {
		if loc, err := time.LoadLocation(name); err == nil && z.Is(loc) {
			return name
		}
	}
	var offsets []int
	for s := range z.samples {
		if !slices.Contains(offsets, s.offset) {
			offsets = append(offsets, s.offset)
		}
	}
	slices.Sort(offsets)
	names := make([]string, len(offsets))
	for i, offset := range offsets {
		names[i] = time.Unix(0, 0).In(time.FixedZone("", offset)).Format("-07:00")
	}
	return fmt.Sprintf("a zone with the offsets %s", strings.Join(names, " and "))
}
