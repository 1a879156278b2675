package sim

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestHostOf(t *testing.T) {
	for agent, want := range map[string]string{
		"":                             "",
		"pkgmetad/1":                   "",
		"pkgmetad/1 (+me@example.org)": "",
		"pkgmetad/1 (+https://example.org/host a)":        "",
		"pkgmetad/1 (host a)":                             "a",
		"pkgmetad/1 (+me@example.org; host b-2.example)":  "b-2.example",
		"pkgmetad/1 (+me@example.org; host c; something)": "c",
		"pkgmetad/1 (+me@example.org; host )":             "",
	} {
		if got := hostOf(agent); got != want {
			t.Errorf("%q is of host %q, want %q", agent, got, want)
		}
	}
}

const repoPath, projectPath = "/repos/otter/kettle", "/pypi/kettle-lib/json"

// askAs asks for a path as a host, with a token; "" for none.
func askAs(t *testing.T, w *World, path, host, token string) {
	t.Helper()
	headers := []string{"User-Agent", "simtest/1 (+me@example.org; host " + host + ")"}
	if host == "" {
		headers = nil
	}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	if a := ask(t, w, path, headers...); a.status != http.StatusOK {
		t.Fatalf("%s: %d", path, a.status)
	}
}

// TestTwoHosts: one credential passes from host to host once the first has been silent.
func TestTwoHosts(t *testing.T) {
	clock := noon()
	w, _, _ := small(t, Options{Now: func() time.Time { return clock }})
	expect := func(what string, want int64) {
		t.Helper()
		if s := w.Stats(); s.ViolationKinds[TwoHosts] != want || s.Violations != want {
			t.Errorf("%s: %v, want %d", what, s.ViolationKinds, want)
		}
	}
	for range 3 {
		askAs(t, w, repoPath, "a", "one")
		askAs(t, w, repoPath, "b", "two")
		askAs(t, w, repoPath, "", "one")
		askAs(t, w, repoPath, "a", "")
		askAs(t, w, repoPath, "b", "")
	}
	expect("each host its own, and some that name none", 0)
	clock = clock.Add(5*time.Second - 1)
	askAs(t, w, repoPath, "b", "one")
	expect("too early", 1)
	clock = clock.Add(time.Second)
	askAs(t, w, repoPath, "a", "one")
	expect("and the first goes on", 2)
	askAs(t, w, "/rate_limit", "b", "one")
	expect("also for what is free", 3)
	clock = clock.Add(5 * time.Second)
	askAs(t, w, repoPath, "b", "one")
	askAs(t, w, repoPath, "b", "one")
	expect("after a silence", 3)

	askAs(t, w, projectPath, "a", "")
	askAs(t, w, projectPath, "a", "")
	expect("PyPI is another matter", 3)
	askAs(t, w, projectPath, "b", "")
	expect("of which there is one", 4)

	one := w.Credential("one")
	if one.Violations != 3 || one.ViolationKinds[TwoHosts] != 3 || one.Hosts["a"] != 4 || one.Hosts["b"] != 4 || len(one.Hosts) != 2 || w.Credential("two").Violations != 0 {
		t.Errorf("%+v, %+v", one, w.Credential("two"))
	}
	stats := decode[Stats](t, ask(t, w, "/_sim/stats"))
	if stats.ViolationKinds[TwoHosts] != 4 || len(stats.Credentials) != 3 {
		t.Errorf("%+v", stats)
	}
	w.ResetStats()
	if one := w.Credential("one"); one.Hosts != nil || one.Violations != 0 {
		t.Errorf("%+v", one)
	}
	askAs(t, w, repoPath, "a", "one")
	expect("who asked is not forgotten with the counts", 1)
}

// TestTwoHostsInFlight: a request that takes long is used for as long.
func TestTwoHostsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := small(t, Options{Now: time.Now, Latency: time.Minute, HostSilence: 2 * time.Second})
		done := make(chan bool)
		go func() { askAs(t, w, repoPath, "a", "one"); done <- true }()
		time.Sleep(30 * time.Second)
		askAs(t, w, repoPath, "b", "one")
		if n := w.Stats().Violations; n != 1 {
			t.Errorf("%d violations while one is in flight", n)
		}
		<-done
		time.Sleep(2*time.Second - 1)
		askAs(t, w, repoPath, "a", "one")
		if n := w.Stats().Violations; n != 2 {
			t.Errorf("%d violations: it is silent from the end of its answer on", n)
		}
		time.Sleep(2 * time.Second)
		askAs(t, w, repoPath, "b", "one")
		if n := w.Stats().Violations; n != 2 {
			t.Errorf("%d violations after the silence", n)
		}
	})
}

// TestTwoHostsOfAnInstallation: its tokens are one credential, and so is the asking for them.
func TestTwoHostsOfAnInstallation(t *testing.T) {
	w, _, _ := small(t, Options{})
	for _, id := range []int64{42, 43} {
		w.SetInstallation(id, Credential{})
	}
	token := func(id int64) string {
		t.Helper()
		minted, _, ok := w.mint(id, "1")
		if !ok {
			t.Fatal("no token")
		}
		return minted
	}
	askAs(t, w, repoPath, "a", token(42))
	askAs(t, w, repoPath, "b", token(43))
	if n := w.Stats().Violations; n != 0 {
		t.Fatalf("%d violations with two installations", n)
	}
	askAs(t, w, repoPath, "b", token(42))
	if n := w.Stats().Violations; n != 1 {
		t.Errorf("%d violations with two tokens of one", n)
	}
	for host, path := range map[string]string{"c": "/app/installations/42/access_tokens", "d": "/api/v3/app/installations/43/access_tokens"} {
		r, err := http.NewRequest("POST", "http://sim"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("User-Agent", "simtest/1 (+me@example.org; host "+host+")")
		resp, err := w.Direct().RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if n := w.Stats().Violations; n != 3 {
		t.Errorf("%d violations by asking for tokens", n)
	}
}
