package web

import (
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/status"
)

// number writes a number with separated thousands: 1,234.
func number(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// count writes a number of things: "1 week", "2 weeks". If the plural is not just
// an added s, thing holds both forms: "category/categories".
func count(n int, thing string) string {
	one, many, irregular := strings.Cut(thing, "/")
	if !irregular {
		many = one + "s"
	}
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// size writes a number of bytes.
func size(bytes int64) string {
	if bytes < 1<<10 {
		return count(int(bytes), "byte")
	}
	value, unit := float64(bytes)/(1<<10), "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if value < 1<<10 {
			break
		}
		value, unit = value/(1<<10), next
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + unit
}

// A moment is a time as a page shows it.
type moment struct {
	Text  string // to show
	Exact string // in the page's zone
	ISO   string // for machines
}

// When writes a time relative to now.
func (d templateData) When(t time.Time) moment {
	m := d.Day(t)
	m.Text = status.Age(t, d.clock.Now.In(d.clock.Zone))
	return m
}

// Ahead writes the time of a future event, relative to now. If the time has
// passed, the event is about to happen.
func (d templateData) Ahead(t time.Time) moment {
	m := d.When(t)
	if !t.After(d.clock.Now) {
		m.Text = "any moment now"
	}
	return m
}

// Day writes a time as its day.
func (d templateData) Day(t time.Time) moment { return d.moment(t, time.DateOnly) }

// Second writes a time with date and seconds.
func (d templateData) Second(t time.Time) moment { return d.moment(t, time.DateTime) }

func (d templateData) moment(t time.Time, layout string) moment {
	t = t.In(d.clock.Zone)
	return moment{Text: t.Format(layout), Exact: t.Format("2006-01-02 15:04:05 MST"), ISO: t.Format(time.RFC3339)}
}

// Zone is the name of the zone that times are in.
func (d templateData) Zone() string {
	return d.clock.Zone.String()
}

// took writes how long something took, from milliseconds to hours.
func took(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
