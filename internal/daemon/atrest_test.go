package daemon

import (
	"context"
	"strings"
	"testing"
	"time"

	"pkgmetad/internal/cluster"
	"pkgmetad/internal/config"
	"pkgmetad/internal/record"
)

// atRest returns a host that has a store of its own with the package "one", and has reached the
// others, with whom it does nothing yet.
func (x *trial) atRest() *member {
	x.t.Helper()
	cfg := x.clusterOf(1, "a")[0]
	before := *cfg
	before.Cluster = config.Cluster{}
	d, ended := x.host(&before)
	x.agrees(d, "one", 5)
	x.stop(d, ended)

	o := x.options()
	o.Config = cfg
	r, err := newRefresher(o, o.Log, openAndRender)
	if err != nil {
		x.t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	m, err := newMember(running, o, r)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() {
		stop()
		if err := m.close(); err != nil {
			x.t.Error(err)
		}
		if err := r.store.Close(); err != nil {
			x.t.Error(err)
		}
	})
	if err := m.node.Wait(x.patient()); err != nil {
		x.t.Fatal(err)
	}
	return m
}

func (x *trial) patient() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	x.t.Cleanup(cancel)
	return ctx
}

// TestStreamMadeAnew: where the stream was lost, a host that followed it does not take over that
// there is nothing, but publishes what it has.
func TestStreamMadeAnew(t *testing.T) {
	x := newTrial(t)
	m := x.atRest()
	if err := m.buildAgain(x.patient()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.store.PackageBySlug("one"); err != nil {
		t.Errorf("the store has lost its package: %v", err)
	}
	if _, there, err := m.node.Last(x.patient(), "entry/1"); !there || err != nil {
		t.Errorf("the stream has it: %t, error %v", there, err)
	}
}

// TestHalfAStore: a host does not add its store to the half of another's.
func TestHalfAStore(t *testing.T) {
	x := newTrial(t)
	m := x.atRest()
	if _, err := m.Publish([]record.Write{{Name: beginName, Data: []byte(`{"v":1,"host":"lost"}`)}, {Name: "entry/7", Data: []byte(`{"v":1}`)}}); err != nil {
		t.Fatal(err)
	}
	if err := m.followOnce(x.patient()); err == nil || !strings.Contains(err.Error(), "host lost began to publish its store") {
		t.Errorf("error %v", err)
	}
	if state, err := m.node.State(x.patient()); err != nil || state.Count != 2 {
		t.Errorf("the stream has %d records, error %v", state.Count, err)
	}
	if _, err := m.store.PackageBySlug("one"); err != nil {
		t.Errorf("the store has lost its package: %v", err)
	}
}

// TestTroubleLasts: what a host cannot take over is its trouble until it has, and is said once.
func TestTroubleLasts(t *testing.T) {
	x := newTrial(t)
	m := x.atRest()
	if err := m.buildAgain(x.patient()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := m.apply([]record.Message{{Name: "entry/1", Data: []byte(`{"v":99}`), Sequence: m.store.Applied() + 1, Time: time.Now()}})
		if err == nil {
			t.Fatal("a message of a later version was taken")
		}
		m.noteTrouble(err)
		if m.trouble.Load() == nil {
			t.Fatal("it is not in trouble")
		}
	}
	if said, over := x.logged("does not follow the records"), x.logged("follows the records of the others again"); said != 1 || over != 0 {
		t.Errorf("the trouble was told %d times, and %d times that it is over", said, over)
	}
	if err := m.mayRefresh(); err == nil {
		t.Error("it may ask, and could not store the answers")
	}
}

// TestUnfitHost: a host that does not follow leaves it to the others to say what is due, and to
// ask with the credentials that it has too.
func TestUnfitHost(t *testing.T) {
	x := newTrial(t)
	a, _ := x.host(x.clusterOf(1, "a")[0])
	m := a.refresher.member
	x.agrees(a, "one", 5)
	x.waitLong("it to have its rights", func() bool { return m.scheduler.Held() && m.leases.usable(pypiLease) })
	trouble := "a test"
	m.trouble.Store(&trouble)
	x.waitLong("it to give them up", func() bool { return !m.scheduler.Held() && !m.leases.usable(pypiLease) })
	held, err := m.node.Leases(x.patient())
	if err != nil {
		t.Fatal(err)
	}
	for _, lease := range held {
		if lease.Host != "" {
			t.Errorf("%s is still held by %s", lease.Name, lease.Host)
		}
	}
	m.trouble.Store(nil)
	x.waitLong("it to have them again", func() bool { return m.scheduler.Held() && m.leases.usable(pypiLease) })
}

// TestOffersAll: what is due since settings were changed is offered, though no pass ran since, and
// what is more than is offered at once comes after it.
func TestOffersAll(t *testing.T) {
	x := newTrial(t)
	x.catalogue("packages: [{slug: one, repo_url: https://github.com/acme/one}, {slug: two, repo_url: https://github.com/acme/two}]\n")
	cfg := x.clusterOf(1, "a")[0]
	a, ended := x.host(cfg)
	x.agrees(a, "one", 5)
	x.agrees(a, "two", 5)
	x.stop(a, ended)
	cfg.Refresh.Workers = 0 // nobody takes what is offered
	cfg.Refresh.StaleAfter, cfg.Refresh.ActiveAfter = time.Millisecond, 0
	a, _ = x.host(cfg)
	m := a.refresher.member
	x.waitLong("it to follow", m.caughtUp.Load)
	offer := func(most int, wantMore bool, want int) {
		t.Helper()
		more, err := m.offerDue(x.patient(), most)
		backlog, backlogErr := m.node.Pending(x.patient(), cluster.ClassGitHub)
		if err != nil || backlogErr != nil || more != wantMore || backlog.Waiting+backlog.Taken != want {
			t.Errorf("offered at most %d: more %t, backlog %+v, errors %v and %v; want %t and %d", most, more, backlog, err, backlogErr, wantMore, want)
		}
	}
	offer(1, true, 1)
	offer(1, true, 1) // that is to be done first
	offer(100, false, 2)
}

// TestWorkOfALostMessage: work that is about a message which the stream has lost is done all the
// same.
func TestWorkOfALostMessage(t *testing.T) {
	x := newTrial(t)
	a, _ := x.host(x.clusterOf(1, "a")[0])
	m := a.refresher.member
	x.agrees(a, "one", 5)
	if n, err := m.node.Offer(x.patient(), cluster.ClassGitHub, []string{"github.com/acme/two"}, m.store.Applied()+1000); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	began := time.Now()
	x.waitLong("it to be done", func() bool {
		backlog, err := m.node.Pending(x.patient(), cluster.ClassGitHub)
		return err == nil && backlog == cluster.Backlog{}
	})
	if took := time.Since(began); took > applyWait/2 {
		t.Errorf("it took %s", took)
	}
}
