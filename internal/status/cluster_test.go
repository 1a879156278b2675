package status

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// three is a cluster of three hosts that is well.
func three() *Cluster {
	return &Cluster{
		Host: "a", Connected: true, Quorum: true, Reached: 3, Servers: 3, Applied: 77, CaughtUp: true, Compared: ago(time.Hour), AsOf: ago(2 * time.Second),
		Hosts: []Host{
			{Name: "a", State: HostHere, Seen: now, Server: true, Version: "1.4", Workers: 8, Applied: 77},
			{Name: "b", State: HostHere, Seen: ago(3 * time.Second), Server: true, Version: "1.4", Workers: 8, Applied: 77},
			{Name: "c", State: HostStopped, Seen: ago(time.Hour), Server: true, Version: "1.4"},
		},
		Leases: []Lease{
			{Right: RightScheduler, Holder: "b", Since: ago(time.Hour)},
			{Right: RightCredential, Credential: "default", Holder: "a", Here: true, Since: ago(time.Hour), Requests: &Left{5000, 4210}},
			{Right: RightPyPI, Holder: "a", Here: true, Since: ago(time.Hour)},
		},
		Work: []Work{{"github", 12, 3}, {"pypi", 0, 0}},
	}
}

// TestClusterWrong: what needs an operator is told in words, with the true age, and
// nothing else is.
func TestClusterWrong(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Cluster)
		want   []string
	}{
		"all is well": {func(*Cluster) {}, nil},
		"cut off, which says nothing of the others": {func(c *Cluster) {
			c.Quorum, c.CutOffSince, c.Reason, c.Trouble = false, ago(45*time.Minute), "no connection to a server", "wait for the cluster"
			c.Hosts[1].State, c.Unscheduled = HostUnknown, ago(time.Hour)
		}, []string{"this host is cut off from the others since 2026-02-16T13:00:10Z (45 minutes ago) and serves what it has: no connection to a server"}},
		"not joined yet": {func(c *Cluster) {
			c.Quorum, c.CutOffSince, c.Reason, c.Applied, c.CaughtUp = false, ago(45*time.Minute), "1 of 3 servers are reached", 0, false
		}, []string{"this host waits for the others since 2026-02-16T13:00:10Z (45 minutes ago): 1 of 3 servers are reached"}},
		"trouble": {func(c *Cluster) { c.Trouble = "no space left on device" }, []string{"this host does not follow the records of the others, and serves what it has: no space left on device"}},
		"the certificate": {func(c *Cluster) { c.Expires = now.AddDate(0, 0, 29) },
			[]string{"the certificate of this host, or an authority that signed it, expires at 2026-03-17T13:45:10Z (in 29 days); renew it, and restart"}},
		"an old certificate":   {func(c *Cluster) { c.Expires = ago(time.Hour) }, []string{"the certificate of this host expired at 2026-02-16T12:45:10Z (1 hour ago), and other hosts refuse it; renew it, and restart"}},
		"a good certificate":   {func(c *Cluster) { c.Expires = now.AddDate(0, 0, 31) }, nil},
		"a host is gone":       {func(c *Cluster) { c.Hosts[1].State, c.Hosts[1].Seen = HostMissing, ago(2*time.Hour) }, []string{"the host b is missing: it was last heard of at 2026-02-16T11:45:10Z (2 hours ago)"}},
		"a host never came":    {func(c *Cluster) { c.Hosts[1] = Host{Name: "b", State: HostMissing} }, []string{"the host b was not heard of yet"}},
		"another host's fault": {func(c *Cluster) { c.Hosts[1].Trouble = "disk full" }, []string{"the host b does not follow the records of the others: disk full"}},
		"another list of servers": {func(c *Cluster) { c.Hosts[1].Elsewhere = true },
			[]string{"the host b has another list in cluster.servers than this one: names and addresses have to be the same on all hosts"}},
		"two of one name":     {func(c *Cluster) { c.Double = ago(time.Minute) }, []string{"another host calls itself a, too: stop one of the two, and give it a cluster.name of its own"}},
		"one of two has gone": {func(c *Cluster) { c.Double = ago(doubleLasts) }, nil},
		"a clock ahead":       {func(c *Cluster) { c.Ahead = 3600 }, []string{"the clock of this host is 1h0m0s ahead of that of the leading server; set the one that is wrong"}},
		"a clock behind":      {func(c *Cluster) { c.Ahead = -120 }, []string{"the clock of this host is 2m0s behind that of the leading server; set the one that is wrong"}},
		"clocks as they are":  {func(c *Cluster) { c.Ahead = 60 }, nil},
		"other settings": {func(c *Cluster) { c.Hosts[1].Differently = true },
			[]string{"the host b serves records differently: http.public_url and http.time_zone have to be the same on all hosts, and so has the version"}},
		"nobody schedules": {func(c *Cluster) { c.Unscheduled = ago(3 * time.Minute) },
			[]string{"no host has said what is due since 2026-02-16T13:42:10Z (3 minutes ago), so nothing is fetched: one with refresh.workers above 0 has to run"}},
		"another host will schedule": {func(c *Cluster) { c.Unscheduled = ago(takeoverTime) }, nil},
	} {
		c := three()
		test.change(c)
		if diff := cmp.Diff(test.want, c.Wrong(now)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	var alone *Cluster
	if wrong := alone.Wrong(now); wrong != nil {
		t.Errorf("a host that is alone: %q", wrong)
	}
}

// TestClusterJSON: a host that is alone tells nothing of a cluster; of one of several, what
// is not known is left out, and times are in the zone asked for.
func TestClusterJSON(t *testing.T) {
	text := func(c *Cluster) string {
		told, err := New(Options{Store: new(fakeStore), Zone: berlin, Activity: func() Activity { return Activity{Cluster: c} }}).Present()
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(told)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if s := text(nil); strings.Contains(s, "cluster") {
		t.Errorf("alone: %s", s)
	}
	if s := text(&Cluster{Host: "a"}); !strings.Contains(s, `"cluster":{"host":"a","connected":false,"quorum":false,"servers_reached":0,"servers":0,"applied_sequence":0,"lag_messages":0,"caught_up":false,"warnings":[],"hosts":[],"leases":[],"work":[]}`) {
		t.Errorf("nothing is known: %s", s)
	}
	c := three()
	s := text(c)
	for _, want := range []string{
		`"compared":"2026-02-16T13:45:10+01:00"`, `"as_of":"2026-02-16T14:45:08+01:00"`, `"seen":"2026-02-16T14:45:07+01:00"`, `"held_since":"2026-02-16T13:45:10+01:00"`,
		`"left_requests":{"limit":5000,"remaining":4210}`, `{"class":"github","waiting":12,"taken":3}`,
	} {
		if !strings.Contains(s, want) {
			t.Errorf("it lacks %s: %s", want, s)
		}
	}
	if !c.Hosts[1].Seen.Equal(ago(3*time.Second)) || c.Hosts[1].Seen.Location() != time.UTC {
		t.Error("what it is made from was changed")
	}
}
