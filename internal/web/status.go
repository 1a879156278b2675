package web

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// ageLabels are the names of the classes of ages by upper bound in seconds, 0 for
// none.
var ageLabels = map[int64]string{
	3600:   "under 1 hour",
	21600:  "1 to 6 hours",
	86400:  "6 to 24 hours",
	172800: "1 to 2 days",
	604800: "2 to 7 days",
	0:      "7 days or more",
}

// StatusPage is the status of the whole catalogue.
type StatusPage struct {
	status.Catalogue
	Zone *time.Location // of the times shown; nil for UTC
	JSON string         // path of the status as JSON, below the prefix
}

// Status writes the status page.
func Status(w io.Writer, f Frame, p StatusPage) error {
	return render(w, "status", templateData{Frame: f, clock: Clock{p.Now, p.Zone}, Section: inStatus, Page: p})
}

// Refused is the last reload, if that was refused; nil otherwise.
func (p StatusPage) Refused() *status.Reload {
	if p.Reload == nil || p.Reload.Error == "" {
		return nil
	}
	return p.Reload
}

// shownPasses is how many passes are shown before the rest is folded.
const shownPasses = 8

func (p StatusPage) PassRows() folded[passRow] {
	rows := make([]passRow, len(p.Passes))
	for i, pass := range p.Passes {
		rows[i] = passRow{pass}
	}
	return fold(rows, shownPasses)
}

// passRow is a pass with what the template shows of it.
type passRow struct{ record.Pass }

// Unfinished says what the pass did not get to; "" where it was finished.
func (r passRow) Unfinished() string {
	switch {
	case r.Cancelled && r.Left > 0:
		return fmt.Sprintf("Stopped early, with %d left.", r.Left)
	case r.Cancelled:
		return "Stopped early."
	case r.More:
		return "More was due than one pass takes; another one followed."
	}
	return ""
}

// Totals are the totals of each source, with its name.
func (p StatusPage) Totals() []sourcePicture {
	return []sourcePicture{{"GitHub", p.GitHub}, {"PyPI", p.PyPI}}
}

type sourcePicture struct {
	Name string
	status.Totals
}

// AgeShares divide the packages by the age of their data.
func (s sourcePicture) AgeShares() []share {
	var all []share
	for _, a := range s.Ages {
		all = append(all, share{Label: ageLabels[a.UnderSeconds], Class: "age", Count: a.Packages})
	}
	return place(append(all, share{Label: "never", Class: "age-never", Count: s.Never}))
}

// StateShares divide the packages by state.
func (s sourcePicture) StateShares() []share {
	var all []share
	for _, c := range s.States {
		all = append(all, share{Label: string(c.State), Class: stateClass(c.State), Count: c.Packages})
	}
	return place(all)
}

// Fresh is how many packages have data younger than a day.
func (s sourcePicture) Fresh() (n int) {
	for _, a := range s.Ages {
		if a.UnderSeconds > 0 && a.UnderSeconds <= 86400 {
			n += a.Packages
		}
	}
	return n
}

// Aged is how many packages are in AgeShares, those never fetched included.
func (s sourcePicture) Aged() int {
	n := s.Never
	for _, a := range s.Ages {
		n += a.Packages
	}
	return n
}

// BudgetRows are the budgets with what the template shows of them.
func (p StatusPage) BudgetRows() (rows []budgetRow) {
	for _, b := range p.Budgets {
		rows = append(rows, budgetRow{b})
	}
	return rows
}

type budgetRow struct{ status.Budget }

// Wrong is what is wrong with the cluster, in sentences.
func (p StatusPage) Wrong() []string {
	now := p.Now
	if p.Zone != nil {
		now = now.In(p.Zone)
	}
	return p.Cluster.Wrong(now)
}

// UnusedHere says why this host does not use a credential, or ask an upstream.
func (p StatusPage) UnusedHere() string {
	words := p.Cluster.Unused()
	return strings.ToUpper(words[:1]) + words[1:] + "."
}

// HostRows are the hosts with what the template shows of them.
func (p StatusPage) HostRows() (rows []hostRow) {
	for _, h := range p.Cluster.Hosts {
		rows = append(rows, hostRow{h, h.Name == p.Cluster.Host})
	}
	return rows
}

type hostRow struct {
	status.Host
	Own bool // it is the one that answers
}

// Remark is what else there is to say of a host.
func (h hostRow) Remark() string {
	var all []string
	if h.Differently {
		all = append(all, "serves records differently")
	}
	if h.Elsewhere {
		all = append(all, "has other servers")
	}
	if h.Trouble != "" {
		all = append(all, h.Trouble)
	}
	return strings.Join(all, "; ")
}

// Work says what a host does.
func (h hostRow) Work() string {
	switch {
	case h.Version == "":
		return ""
	case h.Workers == 0:
		return "serves"
	}
	return count(h.Workers, "worker")
}

// LeaseRows are what one host at a time may do, with what the template shows of it.
func (p StatusPage) LeaseRows() (rows []leaseRow) {
	for _, l := range p.Cluster.Leases {
		rows = append(rows, leaseRow{l})
	}
	return rows
}

type leaseRow struct{ status.Lease }

// What is how people call the right.
func (l leaseRow) What() string {
	switch l.Right {
	case status.RightScheduler:
		return "Says what is due"
	case status.RightCredential:
		return "Asks GitHub with"
	case status.RightPyPI:
		return "Asks PyPI"
	}
	return l.Right
}

// Left is what is left of the credential's budgets; "" while that is not known.
func (l leaseRow) Left() string {
	var all []string
	if r := l.Requests; r != nil {
		all = append(all, fmt.Sprintf("%s of %s", number(r.Remaining), count(r.Limit, "request")))
	}
	if p := l.Points; p != nil {
		all = append(all, fmt.Sprintf("%s of %s", number(p.Remaining), count(p.Limit, "point")))
	}
	return strings.Join(all, ", ")
}

// Waiting is how much of the work waits for a host, and how much is taken.
func (p StatusPage) Waiting() string {
	waiting, taken := 0, 0
	for _, w := range p.Cluster.Work {
		waiting, taken = waiting+w.Waiting, taken+w.Taken
	}
	return fmt.Sprintf("%s due: %s for a host, %s taken.", count(waiting+taken, "source is/sources are"), count(waiting, "waits/wait"), number(taken))
}

// FailingRows are the failing sources with what the template shows of them.
func (p StatusPage) FailingRows() (rows []failingRow) {
	for _, f := range p.Failing {
		rows = append(rows, failingRow{f})
	}
	return rows
}

type failingRow struct{ status.Failing }

// Left is the part of the budget that is left, in per cent.
func (b budgetRow) Left() string { return left(b.Remaining, b.Limit) }

// PointsLeft is the same for the points of GraphQL.
func (b budgetRow) PointsLeft() string { return left(b.Points.Remaining, b.Points.Limit) }

func left(remaining, limit int) string {
	if limit <= 0 {
		return percent(0)
	}
	return percent(100 * min(1, max(0, float64(remaining)/float64(limit))))
}

// KindWords is how people call that kind of credential.
func (b budgetRow) KindWords() string {
	switch b.Kind {
	case "anonymous":
		return "No credential"
	case "token":
		return "Token"
	case "app":
		return "Installation of a GitHub App"
	case "oauth":
		return "OAuth app"
	}
	return b.Kind
}

// Status is what says where the source stands.
func (f failingRow) Status() record.Status {
	return record.Status{State: f.State, LastSuccess: f.LastSuccess}
}

// Name is the package's title or, where it has none, its slug.
func (f failingRow) Name() string { return cmp.Or(f.Title, f.Slug) }

// SourceName is how people write the source's name.
func (f failingRow) SourceName() string {
	switch f.Source {
	case "github":
		return "GitHub"
	case "pypi":
		return "PyPI"
	}
	return f.Source
}

func (p passRow) Took() string { return took(p.DurationSeconds) }

// passCount is one of the numbers of a pass.
type passCount struct {
	Label string // for narrow screens, which have no column headings
	Count int
}

// Counts are the numbers of a pass, in the order in which they are shown.
func (p passRow) Counts() []passCount {
	return []passCount{
		{"Asked", p.Asked}, {"Fresh", p.Fresh}, {"Unchanged", p.Unchanged}, {"Pending", p.Pending}, {"Failed", p.Failed},
		{"Gone", p.Gone}, {"Deferred", p.Deferred}, {"Abandoned", p.Abandoned},
		{"GitHub requests", p.GitHub.Requests}, {"GitHub charged", p.GitHub.Charged}, {"PyPI requests", p.PyPI.Requests},
	}
}

// Holds are the rate limits that the pass ran into.
func (p passRow) Holds() (all []namedUse) {
	for _, u := range []namedUse{{"GitHub", p.GitHub}, {"PyPI", p.PyPI}} {
		if !u.HeldUntil.IsZero() {
			all = append(all, u)
		}
	}
	return all
}

type namedUse struct {
	Name string
	record.Use
}
