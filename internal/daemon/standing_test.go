package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/rs/zerolog"

	"pkgmetad/internal/cluster"
	"pkgmetad/internal/status"
)

// clusterMetrics are told on one of several hosts alone.
var clusterMetrics = []string{
	"pkgmetad_cluster_quorum", "pkgmetad_cluster_lag_messages", "pkgmetad_cluster_applied_sequence", "pkgmetad_cluster_hosts", "pkgmetad_cluster_hosts_missing",
	"pkgmetad_cluster_lease_held", "pkgmetad_cluster_work", "pkgmetad_cluster_rebuilds_total", "pkgmetad_cluster_conflicts_total",
	"pkgmetad_cluster_certificate_expiry_timestamp_seconds",
}

// standing returns what a host tells of all, once it holds.
func (x *trial) standing(d *Daemon, what string, holds func(*status.Cluster) bool) (c *status.Cluster) {
	x.t.Helper()
	x.waitLong(what, func() bool {
		c = d.refresher.member.standing(time.Now())
		return holds(c)
	})
	return c
}

func hostNamed(c *status.Cluster, name string) status.Host {
	for _, h := range c.Hosts {
		if h.Name == name {
			return h
		}
	}
	return status.Host{}
}

// TestStanding: each of two hosts tells of both, of who does what, and of what is due; in the
// status, and for Prometheus. The one that is cut off says so, and serves on.
func TestStanding(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	cfgs := x.clusterOf(1, "a", "r")
	cfgs[1].Refresh.Workers = 0
	a, aEnded := x.host(cfgs[0])
	r, rEnded := x.host(cfgs[1])
	x.agrees(a, "one", 5)
	x.agrees(r, "one", 5)

	settled := func(c *status.Cluster) bool {
		return len(c.Hosts) == 2 && hostNamed(c, "a").Version == "test" && hostNamed(c, "r").Version == "test" && c.Scheduler() == "a" && c.Leases[len(c.Leases)-1].Holder == "a" &&
			hostNamed(c, "a").Applied == hostNamed(c, "r").Applied && c.CaughtUp && !c.Compared.IsZero() && len(c.Leases) >= 3 && slices.ContainsFunc(c.Leases, func(l status.Lease) bool { return l.Requests != nil })
	}
	c := x.standing(r, "what r knows", settled)
	if !c.Quorum || c.Host != "r" || c.Servers != 1 || c.Reached != 1 || c.Lag != 0 || c.Applied == 0 || c.Trouble != "" || c.Wrong(time.Now()) != nil {
		t.Errorf("r: %+v, which says %q", c, c.Wrong(time.Now()))
	}
	if h := hostNamed(c, "a"); h.State != status.HostHere || !h.Server || h.Workers == 0 || h.Differently || time.Since(h.Seen) > time.Minute {
		t.Errorf("r says of a: %+v", h)
	}
	if h := hostNamed(c, "r"); h.State != status.HostHere || h.Server || h.Workers != 0 {
		t.Errorf("r says of itself: %+v", h)
	}
	// Its own credential, which nobody holds, by the name, and that of the other by a part of
	// its fingerprint.
	own, other := c.Leases[1], c.Leases[2]
	if own.Credential != "default" || own.Holder != "" || other.Holder != "a" || !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(other.Credential) || other.Requests.Limit != 5000 {
		t.Errorf("r says of the leases: %+v", c.Leases)
	}
	if c := x.standing(a, "what a knows", settled); !c.Leases[0].Here || !c.Leases[1].Here || c.Leases[1].Credential != "default" || len(c.Leases) != 3 {
		t.Errorf("a says of the leases: %+v", c.Leases)
	}

	for d, told := range map[*Daemon]map[string]float64{
		a: {`pkgmetad_cluster_quorum`: 1, `pkgmetad_cluster_hosts`: 2, `pkgmetad_cluster_hosts_missing`: 0, `pkgmetad_cluster_lag_messages`: 0, `pkgmetad_cluster_rebuilds_total`: 1,
			`pkgmetad_cluster_lease_held{lease="scheduler"}`: 1, `pkgmetad_cluster_lease_held{lease="pypi"}`: 1, `pkgmetad_cluster_lease_held{lease="credential/default"}`: 1,
			`pkgmetad_cluster_work{class="github",state="waiting"}`: 0, `pkgmetad_cluster_work{class="pypi",state="taken"}`: 0, `pkgmetad_cluster_conflicts_total`: 0,
			`pkgmetad_cluster_certificate_expiry_timestamp_seconds`: -1},
		r: {`pkgmetad_cluster_lease_held{lease="scheduler"}`: 0, `pkgmetad_cluster_lease_held{lease="credential/default"}`: 0, `pkgmetad_ready`: 1},
	} {
		text := x.scrape(d)
		for series, want := range told {
			if got := value(t, text, series); got != want {
				t.Errorf("on %s %s is %v, not %v", d.cfg.Cluster.Name, series, got, want)
			}
		}
		if strings.Contains(text, "canary") {
			t.Error("a metric has a secret")
		}
	}
	families, err := a.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if name := f.GetName(); strings.HasPrefix(name, "pkgmetad_cluster_") && !slices.Contains(clusterMetrics, name) {
			t.Errorf("%s is told, and not known to this test", name)
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, error %v", problems, err)
	}
	if last := value(t, x.scrape(a), `pkgmetad_last_success_timestamp_seconds`); last == 0 {
		t.Error("no pass succeeded")
	}

	// Of a sequence that no host has come to the one that the stream is at is told.
	if newest, err := r.refresher.member.newest(t.Context()); err != nil || newest != r.refresher.store.Sequence() {
		t.Errorf("the newest is %d, error %v, and the store is at %d", newest, err, r.refresher.store.Sequence())
	}

	x.stop(a, aEnded)
	c = x.standing(r, "r to be cut off", func(c *status.Cluster) bool { return !c.Quorum })
	if c.CutOffSince.IsZero() || c.Reason == "" || len(c.Wrong(time.Now())) != 1 || hostNamed(c, "a").Version != "test" || time.Since(c.AsOf) > time.Hour {
		t.Errorf("cut off, it says %+v, %q", c, c.Wrong(time.Now()))
	}
	text := x.scrape(r)
	for series, want := range map[string]float64{`pkgmetad_cluster_quorum`: 0, `pkgmetad_cluster_hosts`: -1, `pkgmetad_cluster_lag_messages`: -1, `pkgmetad_ready`: 1} {
		if got := value(t, text, series); got != want {
			t.Errorf("cut off, %s is %v, not %v", series, got, want)
		}
	}
	if _, err := r.refresher.member.newest(t.Context()); err == nil {
		t.Error("cut off, it knows how far the others are")
	}
	resp, err := http.Get("http://" + r.Address().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || !strings.HasPrefix(string(body), "ok\ncluster: this host is cut off from the others since ") {
		t.Errorf("cut off, readyz is %d %s", resp.StatusCode, body)
	}
	x.until(r, "/status/", func(body map[string]any) bool {
		told, _ := body["cluster"].(map[string]any)
		return told["host"] == "r" && told["quorum"] == false && told["cut_off_since"] != nil
	})
	x.stop(r, rEnded)
}

// TestNewcomerIsNotReady: a host without records that reaches nobody is not ready, and says
// which hosts it waits for.
func TestNewcomerIsNotReady(t *testing.T) {
	x := newTrial(t)
	cfgs := x.clusterOf(2, "a", "b")
	a, aEnded := x.host(cfgs[0])
	resp, err := http.Get("http://" + a.Address().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 503 || !strings.Contains(string(body), "\ncluster: this host waits for the others since ") {
		t.Errorf("readyz is %d %s", resp.StatusCode, body)
	}
	c := a.refresher.member.standing(time.Now())
	if c.Quorum || c.CaughtUp || !c.AsOf.IsZero() || hostNamed(c, "b").State != status.HostUnknown || hostNamed(c, "a").State != status.HostHere {
		t.Errorf("it says %+v", c)
	}
	x.stop(a, aEnded)
}

// TestHostsAsTold: how a host stands by what it said, and how long ago.
func TestHostsAsTold(t *testing.T) {
	x := newTrial(t)
	cfgs := x.clusterOf(2, "a", "b")
	d, ended := x.host(cfgs[0])
	m, now := d.refresher.member, time.Now()
	say := func(s said) json.RawMessage {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	same := m.store.Rendering()
	last := &learnt{at: now.Add(-10 * time.Second), hosts: []cluster.Host{
		{Name: "here", Said: say(said{Version: "2", Served: same, Lag: 3}), Ago: 15 * time.Second},
		{Name: "silent", Said: say(said{Version: "2", Served: same}), Ago: 21 * time.Second},
		{Name: "stopped", Said: say(said{Version: "2", Stopped: true}), Ago: time.Hour},
		{Name: "gone", Said: say(said{Version: "2"}), Ago: forgetHost},
		{Name: "other", Said: say(said{Version: "2", Served: same + "x", Trouble: "full"}), Ago: 0},
		{Name: "future", Said: json.RawMessage(`[1]`), Ago: 0},
		{Name: "lists", Said: say(said{Version: "2", Served: same, Servers: "a=10.0.0.1:6222"}), Ago: 0},
		{Name: "agrees", Said: say(said{Version: "2", Served: same, Servers: serverList(cfgs[1].Cluster.Servers)}), Ago: 0},
	}}
	states := func(quorum bool) map[string]string {
		got := map[string]string{}
		for _, h := range m.hosts(&status.Cluster{Host: "a", Quorum: quorum}, last, now) {
			got[h.Name] = h.State
			if differs := h.Name == "other"; h.Differently != differs || (h.Trouble != "") != differs {
				t.Errorf("%+v", h)
			}
			if h.Elsewhere != (h.Name == "lists") {
				t.Errorf("other servers: %+v", h)
			}
		}
		return got
	}
	for quorum, silent := range map[bool]string{true: status.HostMissing, false: status.HostUnknown} {
		got := states(quorum)
		for name, want := range map[string]string{
			"a": status.HostHere, "b": silent, "here": status.HostHere, "silent": silent, "stopped": status.HostStopped, "gone": "", "other": status.HostHere, "future": status.HostHere, "lists": status.HostHere, "agrees": status.HostHere,
		} {
			if got[name] != want {
				t.Errorf("with a majority %t, %s is %q, not %q", quorum, name, got[name], want)
			}
		}
	}
	x.stop(d, ended)
}

// TestUnscheduled: it is told since when nobody has been the scheduler.
func TestUnscheduled(t *testing.T) {
	began := time.Now()
	of := func(at time.Duration, h cluster.Held) *learnt {
		return &learnt{at: began.Add(at), leases: []cluster.Held{h}}
	}
	m := new(member)
	for _, step := range []struct {
		at   time.Duration
		held cluster.Held
		want time.Duration // after began; -1 for a scheduler that there is
	}{
		{0, cluster.Held{Name: schedulerLease, Host: "a"}, -1},
		{5 * time.Second, cluster.Held{Name: schedulerLease, Host: "a", Late: true}, 5 * time.Second},
		{10 * time.Second, cluster.Held{Name: schedulerLease}, 5 * time.Second},
		{15 * time.Second, cluster.Held{Name: pypiLease, Host: "a"}, 5 * time.Second},
		{20 * time.Second, cluster.Held{Name: schedulerLease, Host: "b"}, -1},
		{25 * time.Second, cluster.Held{Name: schedulerLease}, 25 * time.Second},
	} {
		now := of(step.at, step.held)
		now.unscheduled = m.unscheduled(now)
		if want := began.Add(step.want); now.unscheduled.IsZero() != (step.want < 0) || step.want >= 0 && !now.unscheduled.Equal(want) {
			t.Errorf("after %s: %s", step.at, now.unscheduled)
		}
		m.learnt.Store(now)
	}
}

// TestNothingDueIsSuccess: that nothing was due is told as it is of a pass on a host alone.
func TestNothingDueIsSuccess(t *testing.T) {
	x := newTrial(t)
	x.cfg.HTTP.AdminListen = "127.0.0.1:0"
	x.catalogue("packages: [{slug: none}]\n")
	d, ended := x.host(x.clusterOf(1, "a")[0])
	x.waitLong("a success", func() bool {
		if d.refresher.member.scheduler.Held() && d.refresher.member.active() {
			if _, err := d.refresher.member.offerDue(context.Background(), 100); err != nil {
				t.Fatal(err)
			}
		}
		return value(t, x.scrape(d), `pkgmetad_last_success_timestamp_seconds`) > 0
	})
	x.stop(d, ended)
}

// TestToldOnce: what becomes wrong with another host is logged once when it begins, and once
// when it is over; nothing is said of hosts that may just have been started as well.
func TestToldOnce(t *testing.T) {
	var log bytes.Buffer
	began := time.Now()
	m := &member{log: zerolog.New(&log), began: began}
	c := &status.Cluster{Host: "a", Quorum: true, Trouble: "told elsewhere", Hosts: []status.Host{{Name: "b", State: status.HostMissing}}}
	lines := func(after time.Duration) string {
		log.Reset()
		m.tell(c, began.Add(after))
		return log.String()
	}
	if said := lines(time.Second); said != "" {
		t.Errorf("at once it says %s", said)
	}
	if said := lines(time.Minute); said != `{"level":"warn","problem":"host b missing","message":"the host b was not heard of yet"}`+"\n" {
		t.Errorf("it says %s", said)
	}
	c.Hosts[0].Seen = began // the same, in other words
	if said := lines(2 * time.Minute); said != "" {
		t.Errorf("again it says %s", said)
	}
	c.Quorum = false // nothing is known of the others
	if said := lines(3 * time.Minute); said != "" {
		t.Errorf("cut off it says %s", said)
	}
	c.Quorum, c.Hosts[0].State = true, status.HostHere
	if said := lines(4 * time.Minute); said != `{"level":"info","problem":"host b missing","message":"that is over"}`+"\n" {
		t.Errorf("in the end it says %s", said)
	}
}

// TestTwoOfOneName: a host notices another one that has its name, but takes no earlier start
// of itself for one.
func TestTwoOfOneName(t *testing.T) {
	x := newTrial(t)
	d, ended := x.host(x.clusterOf(1, "a")[0])
	m := d.refresher.member
	of := func(start string, at, ago time.Duration) *learnt {
		return &learnt{at: m.began.Add(at), hosts: []cluster.Host{{Name: "a", Said: json.RawMessage(`{"start":"` + start + `"}`), Ago: ago}}}
	}
	for name, test := range map[string]struct {
		now    *learnt
		double bool
	}{
		"itself":           {of(m.start, time.Hour, time.Second), false},
		"as it ran before": {of("other", 10*time.Second, 9*time.Second), false},
		"another":          {of("other", time.Hour, 9*time.Second), true},
	} {
		m.learnt.Store(nil)
		if double := m.double(test.now); double.IsZero() == test.double {
			t.Errorf("%s: %s", name, double)
		}
	}
	x.stop(d, ended)
}

// TestClockAhead: the own clock is compared with that of the server that answers, whichever
// clock hosts were heard by.
func TestClockAhead(t *testing.T) {
	now := time.Now()
	server := now.Add(-time.Hour)
	l := &learnt{at: now, hosts: []cluster.Host{
		{Name: "a", At: server.Add(20 * time.Minute), Ago: 0}, // by a leader whose clock was ahead
		{Name: "b", At: server.Add(-3 * time.Second), Ago: 3 * time.Second},
	}}
	if got := clockAhead(l); got != time.Hour {
		t.Errorf("it is %s ahead", got)
	}
	if got := clockAhead(&learnt{at: now}); got != 0 {
		t.Errorf("of nobody it is %s ahead", got)
	}
}
