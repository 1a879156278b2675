package record

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMarks(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) *time.Time { return new(now.Add(-d)) }
	const year = 365 * 24 * time.Hour
	released := func(versions ...Version) Package { return Package{Project: Project{Versions: versions}} }
	standing := func(status string, s State) Package {
		return Package{Project: Project{Standing: Standing{Status: status}}, PyPI: Status{State: s}}
	}
	for name, c := range map[string]struct {
		p    Package
		want []Mark
	}{
		"nothing is known":                  {Package{}, nil},
		"the last commit is a year old":     {Package{Repo: Repo{LastCommit: ago(year)}}, nil},
		"and a second":                      {Package{Repo: Repo{LastCommit: ago(year + time.Second)}}, []Mark{MarkNoCommit}},
		"the last release is two years old": {released(Version{Version: "1", Uploaded: ago(2 * year)}), nil},
		"and another second":                {released(Version{Version: "1", Uploaded: ago(2*year + time.Second)}), []Mark{MarkNoRelease}},
		"an old line got a later release":   {released(Version{Version: "2", Uploaded: ago(2*year + time.Hour)}, Version{Version: "1.9", Uploaded: ago(time.Hour)}), nil},
		"which is yanked":                   {released(Version{Version: "2", Uploaded: ago(2*year + time.Hour)}, Version{Version: "3", Uploaded: ago(time.Hour), Yanked: true}), []Mark{MarkNoRelease}},
		"releases without files":            {released(Version{Version: "1"}), nil},
		"the repository is archived":        {Package{Repo: Repo{Archived: true}}, []Mark{MarkArchived}},
		"the repository is gone":            {Package{GitHub: Status{State: StateGone}}, []Mark{MarkGone}},
		"the repository was taken down":     {Package{GitHub: Status{State: StateBlocked}}, []Mark{MarkGone}},
		"the last attempt failed":           {Package{GitHub: Status{State: StateFailed}, PyPI: Status{State: StateFailed}}, nil},
		"the project is gone":               {standing("", StateGone), []Mark{MarkGone}},
		"the project is archived":           {standing(ProjectArchived, StateOK), []Mark{MarkArchived}},
		"the project is deprecated":         {standing(ProjectDeprecated, StateOK), []Mark{MarkDeprecated}},
		"the project is in quarantine":      {standing(ProjectQuarantined, StateBlocked), []Mark{MarkQuarantined}},
		"the project is active":             {standing(ProjectActive, StateOK), nil},
		"several":                           {Package{Repo: Repo{Archived: true, LastCommit: ago(2 * year)}, PyPI: Status{State: StateGone}}, []Mark{MarkGone, MarkArchived, MarkNoCommit}},
	} {
		if d := cmp.Diff(c.want, c.p.Marks(now)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

func TestLatestRelease(t *testing.T) {
	uploaded := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	p := Project{Version: new("2.0"), Versions: []Version{{Version: "3.0a1"}, {Version: "2.0", Uploaded: &uploaded, Yanked: true}}}
	if got := p.Released(); got == nil || !got.Equal(uploaded) || !p.Yanked() {
		t.Errorf("released %v, yanked %v", got, p.Yanked())
	}
	for _, p := range []Project{{}, {Version: new("1.0"), Versions: p.Versions}, {Versions: p.Versions}} {
		if p.Released() != nil || p.Yanked() {
			t.Errorf("%+v: released %v, yanked %v", p, p.Released(), p.Yanked())
		}
	}
}
