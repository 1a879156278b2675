package sim

// Rates say how often things happen in a generated world. The zero value means
// [DefaultRates].
type Rates struct {
	Pushes  float64 // share of the repositories to whose default branch something is pushed on a day
	Dormant float64 // share of those that nobody has pushed to for more than a year
	Odd     float64 // share of the pushes that are forced, misdated, a rewritten history, 300 commits at once
	Stars   float64 // new stars a day, by a thousand that there are

	// Shares of the repositories to which this happens on a day.
	Described, Archived, Renamed, Deleted float64
	// Reused is the share of the names of renamed and deleted repositories that another
	// repository takes, about a month later.
	Reused float64

	Releases float64 // of a project on a day
	Yanked   float64 // share of the new releases that are yanked, within days
	// Shares of the projects to which this happens on a day. A quarantine, of a project, of
	// all its releases or of the newest, lasts about a week.
	Quarantined, ProjectsArchived, ProjectsDeleted float64
}

// DefaultRates are those of repositories and projects that nothing unusual happens to: pushes,
// stars and releases.
func DefaultRates() Rates {
	return Rates{Pushes: 0.03, Dormant: 0.5, Odd: 0.08, Stars: 0.25, Releases: 0.0055}
}

// LivelyRates have everything happen that may, and more often than in reality.
func LivelyRates() Rates {
	r := DefaultRates()
	r.Described, r.Archived, r.Renamed, r.Deleted, r.Reused = 0.002, 0.0003, 0.0005, 0.0002, 0.3
	r.Yanked, r.Quarantined, r.ProjectsArchived, r.ProjectsDeleted = 0.05, 0.0003, 0.0002, 0.0001
	return r
}
