package web

import (
	"regexp"
	"time"

	"pkgmetad/internal/record"
)

// notice is a line above all else on a package's page: what a reader should know before
// using the package.
type notice struct {
	Tag    string    // in a word or two
	Grave  bool      // the package cannot be had, or should not be
	Text   string    // what it means, in sentences
	Link   Link      // after Text, to another host; the zero Link for none
	Reason string    // given by the project or by PyPI, "" for none
	Since  time.Time // when the source last answered; zero where that is not to be said
	Shown  string    // what is shown since then, before the time
}

const shown = "What is shown of it is from"

// Notices are the lines above all else, those about the repository first.
func (p PackagePage) Notices() []notice {
	return append(repoNotices(&p.Record), projectNotices(&p.Record)...)
}

func repoNotices(rec *record.Package) (all []notice) {
	last := rec.GitHub.LastSuccess
	switch {
	case rec.GitHub.State == record.StateGone && rec.GitHub.Replaced:
		all = append(all, notice{Tag: "another repository", Grave: true, Since: last, Shown: "What is shown is the former one, from",
			Text: "Another repository has taken the name of this one."})
	case rec.GitHub.State == record.StateGone && last.IsZero():
		all = append(all, notice{Tag: "not found", Grave: true,
			Text: "GitHub finds no repository at the address below: it never was public there, or is no longer. Nothing was fetched so far."})
	case rec.GitHub.State == record.StateGone:
		all = append(all, notice{Tag: "gone", Grave: true, Since: last, Shown: shown,
			Text: "GitHub does not find the repository any more: it was deleted, or made private."})
	case rec.GitHub.State == record.StateBlocked:
		all = append(all, notice{Tag: "taken down", Grave: true, Since: last, Shown: shown, Text: "GitHub has taken the repository down."})
	}
	if rec.Repo.Archived {
		all = append(all, notice{Tag: "archived", Text: "The repository is read-only: its owner expects no further work on it."})
	}
	if name, ok := rec.Renamed(); ok {
		n := notice{Tag: "renamed", Text: "The repository is now called", Link: Link{Title: name}}
		if host, _, _, _ := rec.RepoKey.Repo(); repoName.MatchString(name) {
			n.Link.Path = "https://" + host + "/" + name
		}
		all = append(all, n)
	}
	return all
}

// repoName matches the names of repositories, owner/name.
var repoName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z-]*/[0-9A-Za-z._-]+$`)

func projectNotices(rec *record.Package) (all []notice) {
	standing, last := rec.Project.Standing, rec.PyPI.LastSuccess
	said := func(tag, text string, grave bool) {
		all = append(all, notice{Tag: tag, Text: text, Grave: grave, Reason: standing.Reason})
	}
	switch standing.Status {
	case "", record.ProjectActive:
	case record.ProjectQuarantined:
		said("quarantined", "PyPI withholds the project because it may be harmful: do not install it.", true)
	case record.ProjectDeprecated:
		said("deprecated", "The project's owners say on PyPI that it is obsolete: use another one.", false)
	case record.ProjectArchived:
		said("archived on PyPI", "The project's owners expect no further releases.", false)
	default:
		said(standing.Status, "PyPI gives the project this status.", false)
	}
	switch gone := rec.PyPI.State == record.StateGone; {
	case standing.Status == record.ProjectQuarantined: // which is why PyPI has no data of it
	case gone && last.IsZero():
		all = append(all, notice{Tag: "not on PyPI", Grave: true, Text: "PyPI finds no project at the address below. Nothing was fetched so far."})
	case gone:
		all = append(all, notice{Tag: "gone from PyPI", Grave: true, Since: last, Shown: shown, Text: "PyPI does not have the project any more: it cannot be installed from there."})
	case rec.PyPI.State == record.StateBlocked:
		all = append(all, notice{Tag: "taken down", Grave: true, Since: last, Shown: shown, Text: "PyPI has taken the project down: it cannot be installed from there."})
	case rec.Project.Yanked():
		all = append(all, notice{Tag: "yanked", Text: "The latest version, " + *rec.Project.Version + ", was withdrawn: pip installs it only if it is asked for exactly that."})
	}
	return all
}
