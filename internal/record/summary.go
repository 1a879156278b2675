package record

import "time"

// Summary counts the states and ages of all live packages.
type Summary struct {
	Packages     int
	GitHub, PyPI SourceSummary
	Failing      []Failing // at most as many as were asked for: failed before gone and blocked, then those that began last
	AllFailing   int       // how many sources there are of which Failing may hold a part
}

// SourceSummary is about one source of all packages.
type SourceSummary struct {
	States map[State]int
	Ages   []int // of the last successes, but of those gone or blocked: how many are younger than each bound, and not than the one before; then the older ones
	Never  int   // sources that ought to have answered and never did
}

// Failing is a source that failed, is gone or blocked.
type Failing struct {
	ID    int // of the package
	PyPI  bool
	State State
	Since time.Time // the first of the attempts that failed
}
