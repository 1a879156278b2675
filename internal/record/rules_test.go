package record

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(hours int) time.Time { return noon.Add(time.Duration(hours) * time.Hour) }

func TestWins(t *testing.T) {
	none, ahead := time.Time{}, at(1)
	for _, test := range []struct {
		name           string
		learnt, stored Status
		want           bool
	}{
		{"the later success", Status{LastSuccess: at(-1), LastAttempt: at(-1)}, Status{LastSuccess: at(-2), LastAttempt: at(-2)}, true},
		{"an earlier success", Status{LastSuccess: at(-2), LastAttempt: at(-2)}, Status{LastSuccess: at(-1), LastAttempt: at(-1)}, false},
		{"a failure after a success that came meanwhile", Status{LastSuccess: at(-9), LastAttempt: at(-1)}, Status{LastSuccess: at(-2), LastAttempt: at(-2)}, false},
		{"a success, told late, over a failure", Status{LastSuccess: at(-2), LastAttempt: at(-2)}, Status{LastSuccess: at(-9), LastAttempt: at(-1)}, true},
		{"the later failure", Status{LastSuccess: at(-9), LastAttempt: at(-1)}, Status{LastSuccess: at(-9), LastAttempt: at(-2)}, true},
		{"an earlier failure", Status{LastSuccess: at(-9), LastAttempt: at(-2)}, Status{LastSuccess: at(-9), LastAttempt: at(-1)}, false},
		{"another due time of the same attempt", Status{LastSuccess: at(-2), LastAttempt: at(-2), NextDue: at(5)}, Status{LastSuccess: at(-2), LastAttempt: at(-2)}, true},
		{"the first of all", Status{LastSuccess: at(-2), LastAttempt: at(-2)}, Status{State: StateNew}, true},
		{"an import as old as what was fetched here", Status{Imported: true, LastSuccess: at(-2), LastAttempt: at(-2)}, Status{LastSuccess: at(-2), LastAttempt: at(-2)}, false},
		{"an import later than what was fetched here", Status{Imported: true, LastSuccess: at(-1), LastAttempt: at(-1)}, Status{LastSuccess: at(-2), LastAttempt: at(-2)}, true},
		{"the same import again", Status{Imported: true, LastSuccess: at(-2), LastAttempt: at(-2)}, Status{Imported: true, LastSuccess: at(-2), LastAttempt: at(-2)}, true},
		{"an import of what was never fetched", Status{Imported: true}, Status{State: StateNew}, true},
		{"an import from a clock that is ahead, over nothing", Status{Imported: true, LastSuccess: ahead, LastAttempt: ahead}, Status{State: StateNew}, true},
		{"an import from a clock that is ahead, over what was fetched here", Status{Imported: true, LastSuccess: ahead, LastAttempt: ahead}, Status{LastSuccess: at(-2), LastAttempt: at(-2)}, false},
		{"over what was stored under a clock that was ahead", Status{LastSuccess: at(-2), LastAttempt: at(-2)}, Status{LastSuccess: ahead, LastAttempt: ahead}, true},
		{"an earlier success, both before the clock was set back", Status{LastSuccess: at(9), LastAttempt: at(9)}, Status{LastSuccess: at(10), LastAttempt: at(10)}, false},
		{"a later success, both before the clock was set back", Status{LastSuccess: at(10), LastAttempt: at(10)}, Status{LastSuccess: at(9), LastAttempt: at(9)}, true},
		{"a failure after a success under a clock that was ahead", Status{LastSuccess: at(9), LastAttempt: at(-1)}, Status{LastSuccess: at(9), LastAttempt: at(9)}, true},
		{"an attempt over nothing", Status{LastSuccess: none, LastAttempt: at(-2)}, Status{State: StateNew}, true},
	} {
		if got := Wins(&Source{Status: test.learnt}, &Source{Status: test.stored}, noon); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

func TestLastFetched(t *testing.T) {
	ok := func(hours int) Status { return Status{State: StateOK, LastSuccess: at(hours)} }
	never := Status{State: StateNew}
	none := Status{State: StateNone}
	gone := Status{State: StateGone, LastSuccess: at(-90)}
	for _, test := range []struct {
		name         string
		github, pypi Status
		before, want time.Time
	}{
		{"the older of both", ok(-1), ok(-2), at(-3), at(-2)},
		{"one has never answered", ok(-1), never, time.Time{}, time.Time{}},
		{"one that is not named", ok(-1), none, at(-3), at(-1)},
		{"one that is gone", ok(-1), gone, at(-3), at(-1)},
		{"both are gone", gone, gone, at(-3), at(-3)},
		{"none is named", none, none, time.Time{}, time.Time{}},
		{"one that came back makes nothing staler", ok(-1), ok(-90), at(-2), at(-2)},
		{"a clock that was ahead", ok(-1), ok(-2), at(5), at(-2)},
	} {
		p := Package{GitHub: test.github, PyPI: test.pypi, LastFetched: test.before}
		if got := LastFetched(&p, noon); !got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestFollow(t *testing.T) {
	old := Source{Key: "github.com/a/b", Status: Status{State: StateGone, NextDue: at(9), Tags: map[string]string{"x": "y"}}, Repo: &Repo{Name: "New/Name", ID: 7, Stars: 3}}
	if s := Follow(&old, "github.com/new/name"); s.Key != "github.com/new/name" || s.Repo.Stars != 3 || s.State != StateGone || !s.NextDue.IsZero() || s.Former != nil {
		t.Errorf("a rename that GitHub told of: %+v", s)
	}
	for _, to := range []Key{"github.com/other/name", "ghe.example/new/name"} {
		if s := Follow(&old, to); s.Key != to || s.Repo != nil || s.State != StateNew || s.Former == nil || s.Former.ID != 7 || len(s.Tags) > 0 {
			t.Errorf("to %s: %+v", to, s)
		}
	}
	if s := Follow(nil, "pypi:x"); s.Key != "pypi:x" || s.State != StateNew || s.Former != nil {
		t.Errorf("from nothing: %+v", s)
	}
}

func TestRenamed(t *testing.T) {
	for _, test := range []struct {
		key  Key
		name string
		want bool
	}{
		{"github.com/a/b", "A/B", false}, {"github.com/a/b", "a/c", true}, {"ghe.example/a/b", "Z/b", true},
		{"github.com/a/b", "", false}, {"github.com/a/b", "b", false}, {"", "a/b", false},
	} {
		p := Package{RepoKey: test.key, Repo: Repo{Name: test.name}}
		if name, ok := p.Renamed(); ok != test.want || ok && name != test.name {
			t.Errorf("%s, which GitHub calls %q: %q, %t", test.key, test.name, name, ok)
		}
	}
}

func TestKeys(t *testing.T) {
	k := RepoKey("GitHub.com", "Django", "Django.js")
	if host, owner, name, ok := k.Repo(); k != "github.com/django/django.js" || host != "github.com" || owner != "django" || name != "django.js" || !ok {
		t.Errorf("%s is %s %s %s %t", k, host, owner, name, ok)
	}
	if _, ok := k.Project(); ok {
		t.Errorf("%s is a project", k)
	}
	p := ProjectKey("django")
	if name, ok := p.Project(); p != "pypi:django" || name != "django" || !ok {
		t.Errorf("%s is %s %t", p, name, ok)
	}
	if _, _, _, ok := p.Repo(); ok {
		t.Errorf("%s is a repository", p)
	}
}

func TestSameServed(t *testing.T) {
	east := noon.In(time.FixedZone("", 3600))
	base := func() *Source {
		return &Source{Repo: &Repo{Stars: 1, Participants: []string{"a"}, LastCommit: &noon, Commits52: []int{1}}, Project: &Project{Version: new("1")}}
	}
	for name, change := range map[string]func(*Source){
		"state":   func(s *Source) { s.State, s.Note, s.LastError, s.Serial = StateFailed, "n", "e", 9 },
		"zone":    func(s *Source) { s.Repo.LastCommit = &east },
		"id":      func(s *Source) { s.Repo.ID, s.Repo.Name, s.Repo.Archived, s.Repo.Commits = 1, "x/y", true, 9 },
		"licence": func(s *Source) { s.Project.Licence, s.Project.Versions = "MIT", []Version{{Version: "1"}} },
	} {
		s := base()
		change(s)
		if !SameServed(base(), s) {
			t.Errorf("%s is not served", name)
		}
	}
	for name, change := range map[string]func(*Source){
		"stars":        func(s *Source) { s.Repo.Stars++ },
		"forks":        func(s *Source) { s.Repo.Forks++ },
		"description":  func(s *Source) { s.Repo.Description = "x" },
		"participants": func(s *Source) { s.Repo.Participants = nil },
		"weeks":        func(s *Source) { s.Repo.Commits52 = []int{2} },
		"last commit":  func(s *Source) { s.Repo.LastCommit = nil },
		"version":      func(s *Source) { s.Project.Version = nil },
		"all":          func(s *Source) { *s = Source{} },
	} {
		s := base()
		change(s)
		if SameServed(base(), s) {
			t.Errorf("%s is served", name)
		}
	}
}
