package record

import "time"

// Bounds of an age at which something is fetched again, where one is declared.
const (
	MinStaleAfter = time.Second
	MaxStaleAfter = 365 * 24 * time.Hour
)

// Interval is how often the packages that refer to a source want it to be fetched. It is
// zero if none of them names an age.
type Interval struct {
	Shortest time.Duration `json:"shortest,omitempty"` // the shortest that one of them names
	Default  bool          `json:"default,omitempty"`  // another one names none, and has the configuration's
}

// IntervalOf returns the interval of a source, given the [Entry.StaleAfter] of each package
// that refers to it.
func IntervalOf(ages []time.Duration) (i Interval) {
	for _, age := range ages {
		switch {
		case age == 0:
			i.Default = true
		case i.Shortest == 0 || age < i.Shortest:
			i.Shortest = age
		}
	}
	if i.Shortest == 0 {
		return Interval{}
	}
	return i
}

// Covers reports whether i takes account of a package with this [Entry.StaleAfter].
func (i Interval) Covers(age time.Duration) bool {
	if age == 0 {
		return i.Shortest == 0 || i.Default
	}
	return 0 < i.Shortest && i.Shortest <= age
}

// Or returns the age at which the source is fetched again, where def is the
// configuration's.
func (i Interval) Or(def time.Duration) time.Duration {
	switch {
	case i.Shortest == 0:
		return def
	case i.Default:
		return min(i.Shortest, def)
	}
	return i.Shortest
}

// Order says what decides between sources that are due, and which are left out.
type Order struct {
	StaleAfter time.Duration             // the age that an Interval has by default
	Reads      func() map[int]uint64     // how often packages were read lately, by id; nil if unknown
	Skip       func(Key) (passOver bool) // nil for none
}
