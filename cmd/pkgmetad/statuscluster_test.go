package main

import (
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/daemon"
	"pkgmetad/internal/status"
)

// TestReportOfSeveralHosts: it says how the hosts stand, who does what, and since when this
// one is cut off, and ends with what needs an operator.
func TestReportOfSeveralHosts(t *testing.T) {
	now := time.Date(2026, 2, 16, 13, 45, 0, 0, time.UTC)
	since := now.Add(-45 * time.Minute)
	r := daemon.Report{Status: status.Catalogue{Now: now, Budgets: []status.Budget{{Name: "PyPI", Elsewhere: true}}, Cluster: &status.Cluster{
		Host: "a", Connected: true, Quorum: true, Reached: 2, Servers: 3, Applied: 77, Lag: 5, Compared: since, AsOf: now, Warnings: []string{"stream X has 1 replica and not 3"},
		Hosts: []status.Host{
			{Name: "a", State: status.HostHere, Seen: now, Server: true, Version: "1.4", Workers: 8, Applied: 77, Lag: 5},
			{Name: "b", State: status.HostStopped, Seen: since, Server: true, Version: "1.4", Workers: 1, Applied: 70},
			{Name: "c", State: status.HostMissing, Server: true},
			{Name: "r", State: status.HostHere, Seen: now, Version: "1.3", Applied: 78, Elsewhere: true, Trouble: "no space left on device"},
		},
		Leases: []status.Lease{
			{Right: status.RightScheduler, Holder: "r", Since: since},
			{Right: status.RightCredential, Credential: "bot", Holder: "a", Here: true, Since: since, Requests: &status.Left{Limit: 5000, Remaining: 4210}, Points: &status.Left{Limit: 5000, Remaining: 17}},
			{Right: status.RightCredential, Credential: "late", Holder: "a", Here: true},
			{Right: status.RightCredential, Credential: "former", Holder: "a", Since: since},
			{Right: status.RightPyPI},
		},
		Work: []status.Work{{Class: "github", Waiting: 12, Taken: 3}},
	}}}
	says := func(want ...string) {
		t.Helper()
		var out strings.Builder
		if err := printReport(&out, &r, now); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(out.String()), " ")
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("it does not say %q:\n%s", part, out.String())
			}
		}
	}
	const ago = "2026-02-16T13:00:00Z (45 minutes ago)"
	says("! the host c was not heard of yet ! the host r does not follow the records of the others: no space left on device ! the host r has another list in cluster.servers than this one",
		"PyPI no limit is known; another host uses it",
		"cluster this host is a, and reaches the others; 2 of 3 servers reached",
		"it has followed the others to message 77, and lacks 5 messages; last compared with them "+ago+" stream X has 1 replica and not 3",
		"host a this one, version 1.4, 8 workers, has message 77 and lacks 5 messages",
		"host b stopped, last heard of "+ago+", version 1.4, 1 worker, has message 70 and lacks none",
		"host c missing, never heard of",
		"version 1.3, only serves, has message 78 and lacks none, runs no server, has another cluster.servers, no space left on device",
		"scheduler r since "+ago,
		"credential bot a (this host) since "+ago+", 4210 of 5000 requests left, 17 of 5000 GraphQL points left",
		"credential late a (this host) credential former a (this host, as it ran before) since "+ago,
		"pypi nobody",
		"work github 12 waiting, 3 taken")

	c := r.Status.Cluster
	c.Quorum, c.CutOffSince, c.Reason, c.AsOf, c.Rebuilding = false, since, "no connection to a server", since, since
	says("! this host is cut off from the others since "+ago+" and serves what it has: no connection to a server",
		"PyPI no limit is known; not used while this host is cut off",
		"this host is a, cut off since "+ago+"; 2 of 3 servers reached",
		"its store has been built anew since "+ago,
		"what follows is as of "+ago)
	if len(wrong(&r)) == 0 {
		t.Error("the command says that all is well")
	}
	c.AsOf = time.Time{}
	says("what the others do is not known yet")

	c.AsOf, c.Compared, c.Rebuilding = now, time.Time{}, time.Time{}
	c.Hosts[1].Applied = 0
	says("and lacks 5 messages; not compared with them yet", "host b stopped, last heard of "+ago+", version 1.4, 1 worker, has nothing yet host c")
	c.Applied, c.Lag = 0, 0
	says("it has nothing of what the others have yet")
}
