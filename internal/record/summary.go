package record

import "time"

// Summary counts the states and ages of all live packages.
type Summary struct {
	Packages     int
	GitHub, PyPI SourceSummary
	Failing      []Failing // at most as many as the caller asked for: failed before gone and blocked, then the most recent first
	AllFailing   int       // how many there are in all
}

// SourceSummary counts the repositories, or the projects, of all packages.
type SourceSummary struct {
	States map[State]int

	// Ages counts by the age of the last success: for each bound those younger than
	// it, but not younger than the bound before, and at the end those older than
	// all bounds. What is gone or blocked is not counted.
	Ages []int

	AgeSeconds float64 // all these ages together; none where a clock that was ahead leaves it unknown

	Never int // fetchable ones without any success, other than those gone or blocked
}

// Failing is a source that failed, is gone or blocked.
type Failing struct {
	ID    int // of the package
	PyPI  bool
	State State
	Since time.Time // the first of the consecutive failures
}
