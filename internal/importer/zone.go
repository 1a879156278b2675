package importer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Zone is what the times of a source tell of the time zone that it writes them
// in: an offset from UTC for each stretch of time.
type Zone struct {
	samples map[stretch]time.Time
}

// stretch is a month, and an offset from UTC in seconds that times in it have.
// In the month of a change there are two.
type stretch struct {
	year, offset int
	month        time.Month
}

func (z *Zone) saw(t time.Time, offset int) {
	s := stretch{t.Year(), offset, t.Month()}
	if _, known := z.samples[s]; known {
		return
	}
	if z.samples == nil {
		z.samples = make(map[stretch]time.Time)
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

// zones are those that sites of this API are likely to be in: Django's own
// default first, then the most peopled.
var zones = []string{
	"UTC", "America/Chicago", "America/New_York", "America/Los_Angeles", "America/Denver", "Europe/London", "Europe/Berlin",
	"Europe/Athens", "Europe/Moscow", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "America/Sao_Paulo", "Australia/Sydney",
	"America/Bogota", "America/Mexico_City", "America/Phoenix", "America/Halifax", "Africa/Lagos", "Africa/Johannesburg",
	"Africa/Nairobi", "Europe/Istanbul", "Asia/Dubai", "Asia/Karachi", "Asia/Dhaka", "Asia/Bangkok", "Asia/Kathmandu",
	"Pacific/Auckland", "Pacific/Honolulu",
}

// String names a zone that fits, or else the offsets there are.
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
