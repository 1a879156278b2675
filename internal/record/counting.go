package record

import "time"

// Counting is what makes the weekly commits and the participants of a repository known
// without asking GitHub for its statistics: both follow from the commits, and only new
// ones have to be read. That the two agree is checked from time to time.
type Counting struct {
	Head string `json:"head"` // the commit that the default branch was at when all below was right; "" for none
	Way  Way    `json:"way,omitzero"`
	// WayFound is set if the commits, counted in another way, did not agree with
	// GitHub's statistics.
	WayFound bool `json:"way_found,omitempty"`
	Days     Days `json:"days,omitempty"` // commits by day; empty if TooMany

	// Statistics says why this repository goes by GitHub's statistics for now, for a
	// person; "" if it goes by the count.
	Statistics string `json:"statistics,omitempty"`
	TooMany    bool   `json:"too_many,omitempty"` // there are more commits than are counted

	CheckDue time.Time `json:"check_due,omitzero"` // when to compare with GitHub's statistics next
	Agreed   int       `json:"agreed,omitempty"`   // how often in a row they agreed
	Moved    bool      `json:"moved,omitempty"`    // Days have changed since they were compared
	Drifts   int       `json:"drifts,omitempty"`   // how often they did not, in all
	// Unanswered is how often in a row GitHub did not say what to compare with.
	Unanswered int `json:"unanswered,omitempty"`
}

// ForgetCounts forgets all that follows from counting here, but for what is served: that
// has come from elsewhere.
func (r *Repo) ForgetCounts() {
	r.Contributions, r.CountsFrom, r.AsOf, r.HeadSeen, r.Counting = nil, "", 0, 0, nil
}

// Where the weekly commits of a repository come from.
const (
	FromStatistics = "participation" // GitHub's stats/participation
	FromCounting   = "counted"       // our count of its commits
)

// CountsText says where the weekly commits of a repository come from and up to which
// day they go, for a person; "" while they are unknown.
func (r *Repo) CountsText() string {
	if r.AsOf == 0 || r.Commits52 == nil {
		return ""
	}
	text := "weekly commits up to " + (r.AsOf - 1).Start().Format(time.DateOnly)
	c := r.Counting
	if r.CountsFrom != FromCounting || c == nil {
		return text + ", from GitHub's statistics"
	}
	text += ", counted " + c.Way.String()
	if !c.CheckDue.IsZero() {
		text += "; the count is checked next on " + c.CheckDue.UTC().Format(time.DateOnly)
	}
	return text
}
