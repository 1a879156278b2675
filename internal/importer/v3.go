package importer

import (
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/record"
)

// packageV3 is a package as the older API, v3, serves it: without an id and the time of the
// last commit, and with text in place of lists.
type packageV3 struct {
	packageDocument
	CommitsOver52 *string `json:"commits_over_52"`
	Participants  *string `json:"participants"`
}

func (d *decoder) recordV3(data []byte) (rec record.Package, err error) {
	c := check{d: d}
	var doc packageV3
	c.decode(data, &doc)
	rec = c.shared(&doc.packageDocument)
	rec.Repo.Participants = split(need(&c, "participants", doc.Participants))
	for _, n := range split(need(&c, "commits_over_52", doc.CommitsOver52)) {
		commits, err := strconv.Atoi(n)
		if err != nil || strconv.Itoa(commits) != n || commits < 0 {
			c.fail("commits_over_52 has %s, not a number of commits", shortQuote(n))
		}
		rec.Repo.Commits52 = append(rec.Repo.Commits52, commits)
	}
	rec.GitHub.NextDue = time.Time{} // at once: the last commit is still unknown
	return rec, c.err
}

// split returns the parts of a list in text, which has a comma between them.
func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// withFraction returns the time of a text of API v3, which has milliseconds. It leaves out the
// fraction only where there are no microseconds either, so .000 is kept as the first
// microsecond: from that the same text is served again.
func withFraction(t time.Time, text string) time.Time {
	if strings.Contains(text, ".") && t.Nanosecond() == 0 {
		t = t.Add(time.Microsecond)
	}
	return t
}
