package status

import (
	"fmt"
	"time"
)

// Cluster is what a host that is one of several knows of them all. While it is cut off,
// Lag, Hosts, Leases and Work are what it last knew.
type Cluster struct {
	Host        string    `json:"host"`                   // the name of this one
	Connected   bool      `json:"connected"`              // to a server: its own, or another's
	Quorum      bool      `json:"quorum"`                 // a majority of the servers is reached, without which nothing is fetched or changed
	CutOffSince time.Time `json:"cut_off_since,omitzero"` // zero if Quorum
	Reason      string    `json:"reason,omitempty"`       // why it is cut off
	Reached     int       `json:"servers_reached"`        // servers, the own included
	Servers     int       `json:"servers"`                // that there are; 0 while that is not known

	Applied    uint64    `json:"applied_sequence"` // of the last message that the store has; 0 for none yet
	Lag        uint64    `json:"lag_messages"`     // that the store has not yet
	CaughtUp   bool      `json:"caught_up"`        // the store has been where the others were, since the start
	Rebuilding time.Time `json:"rebuilding_since,omitzero"`
	Trouble    string    `json:"trouble,omitempty"` // what keeps the store from following the others; "" for nothing
	Compared   time.Time `json:"compared,omitzero"` // when all records were last compared with those of the others; zero for not yet
	Expires    time.Time `json:"certificate_expires,omitzero"`
	Warnings   []string  `json:"warnings"` // what is not known of the servers, or they lack

	AsOf   time.Time `json:"as_of,omitzero"` // when this host last asked for what follows; zero for never
	Hosts  []Host    `json:"hosts"`          // by name, this one included
	Leases []Lease   `json:"leases"`         // the scheduler's, those of credentials, and PyPI's
	Work   []Work    `json:"work"`           // by class

	Double time.Time `json:"same_name_seen,omitzero"`      // when another host last called itself as this one does; zero for never
	Ahead  int       `json:"clock_ahead_seconds,omitzero"` // of this host's clock before that of the leading server; below 0 where it is behind

	Unscheduled time.Time `json:"unscheduled_since,omitzero"` // since when no host has said what is due; zero if one does
}

// Host is what a host last said of itself.
type Host struct {
	Name        string    `json:"name"`
	State       string    `json:"state"` // one of the states below
	Seen        time.Time `json:"seen,omitzero"`
	Server      bool      `json:"server"` // it runs one of the servers
	Version     string    `json:"version"`
	Workers     int       `json:"workers"` // 0: it fetches nothing
	Applied     uint64    `json:"applied_sequence"`
	Lag         uint64    `json:"lag_messages"`
	Differently bool      `json:"serves_differently"` // with settings under which its answers are not those of this host
	Elsewhere   bool      `json:"other_servers"`      // its cluster.servers is not that of this host
	Trouble     string    `json:"trouble,omitempty"`
}

// The states of a host.
const (
	HostHere    = "here"    // it was heard of in the last HostSilence
	HostStopped = "stopped" // it has been stopped in order
	HostMissing = "missing" // it is silent, and nobody has stopped it
	HostUnknown = "unknown" // it is silent because this host is cut off
)

// HostSilence is after what time without a word a host is not here any more. Each says
// something every five seconds.
const HostSilence = 30 * time.Second

// Lease is a right that one host at a time has.
type Lease struct {
	Right      string    `json:"right"`                // one of the rights below
	Credential string    `json:"credential,omitempty"` // its name here or, where this host has no such credential, the beginning of its fingerprint
	Own        bool      `json:"-"`                    // Credential is one of this host's
	Holder     string    `json:"holder"`               // a host; "" for none
	Here       bool      `json:"held_here"`            // this host holds it at this moment
	Since      time.Time `json:"held_since,omitzero"`  // by the clock of Holder
	Requests   *Left     `json:"left_requests,omitempty"`
	Points     *Left     `json:"left_points,omitempty"` // of GraphQL
}

// The rights that one host at a time has.
const (
	RightScheduler  = "scheduler"  // to say what is due
	RightCredential = "credential" // to ask GitHub with one credential
	RightPyPI       = "pypi"       // to ask PyPI
)

// Left is what the holder of a credential said last that is left of a budget.
type Left struct {
	Limit     int `json:"limit"`
	Remaining int `json:"remaining"`
}

// Work is how many sources of a class are to be asked.
type Work struct {
	Class   string `json:"class"`   // "github" or "pypi"
	Waiting int    `json:"waiting"` // for a host
	Taken   int    `json:"taken"`   // by some host
}

// expiresSoon is how long before its end the certificate of a host is told of.
const expiresSoon = 30 * 24 * time.Hour

// takeoverTime is what another host takes to go on where the one that said what is due has died.
const takeoverTime = time.Minute

// doubleLasts is for how long another host of this one's name is told of after it was seen:
// what the two say of themselves replaces one another.
const doubleLasts = 2 * time.Minute

// clockOff is by how much clocks may differ.
const clockOff = time.Minute

// A Fault is something that needs an operator.
type Fault struct {
	Kind string // by which it is known again, though Text tells of other times
	Text string // a sentence
}

// The kinds of faults of this host that the log tells by itself.
const (
	FaultCutOff      = "cut off"
	FaultTrouble     = "trouble"
	FaultCertificate = "certificate"
)

// Wrong lists in sentences what needs an operator, the most urgent first.
func (c *Cluster) Wrong(now time.Time) (all []string) {
	for _, f := range c.Faults(now) {
		all = append(all, f.Text)
	}
	return all
}

// Faults lists what needs an operator, the most urgent first.
func (c *Cluster) Faults(now time.Time) (all []Fault) {
	if c == nil {
		return nil
	}
	say := func(kind, format string, args ...any) { all = append(all, Fault{kind, fmt.Sprintf(format, args...)}) }
	at := func(t time.Time) string { return t.Format(time.RFC3339) + " (" + Age(t, now.In(t.Location())) + ")" }
	switch {
	case !c.Quorum && c.Applied == 0 && !c.CaughtUp: // it has been no part of them yet
		say(FaultCutOff, "this host waits for the others since %s: %s", at(c.CutOffSince), c.Reason)
	case !c.Quorum:
		say(FaultCutOff, "this host is cut off from the others since %s and serves what it has: %s", at(c.CutOffSince), c.Reason)
	case c.Trouble != "":
		say(FaultTrouble, "this host does not follow the records of the others, and serves what it has: %s", c.Trouble)
	}
	if !c.Double.IsZero() && now.Sub(c.Double) < doubleLasts {
		say("same name", "another host calls itself %s, too: stop one of the two, and give it a cluster.name of its own", c.Host)
	}
	c.clock(say)
	switch left := c.Expires.Sub(now); {
	case c.Expires.IsZero() || left >= expiresSoon:
	case left <= 0:
		say(FaultCertificate, "the certificate of this host expired at %s, and other hosts refuse it; renew it, and restart", at(c.Expires))
	default:
		say(FaultCertificate, "the certificate of this host, or an authority that signed it, expires at %s; renew it, and restart", at(c.Expires))
	}
	for i := range c.Hosts {
		if h := &c.Hosts[i]; h.Name != c.Host {
			h.faults(say, at)
		}
	}
	if c.Quorum && !c.Unscheduled.IsZero() && now.Sub(c.Unscheduled) > takeoverTime {
		say("unscheduled", "no host has said what is due since %s, so nothing is fetched: one with refresh.workers above 0 has to run", at(c.Unscheduled))
	}
	return all
}

// clock says whether the clock of this host is another than that of the others.
func (c *Cluster) clock(say func(kind, format string, args ...any)) {
	off := (time.Duration(c.Ahead) * time.Second).Abs()
	switch {
	case !c.Quorum || off <= clockOff:
	case c.Ahead > 0:
		say("clock", "the clock of this host is %s ahead of that of the leading server; set the one that is wrong", off)
	default:
		say("clock", "the clock of this host is %s behind that of the leading server; set the one that is wrong", off)
	}
}

// faults says what this host knows to be wrong with another one.
func (h *Host) faults(say func(kind, format string, args ...any), at func(time.Time) string) {
	kind := "host " + h.Name
	switch {
	case h.State == HostMissing && h.Seen.IsZero():
		say(kind+" missing", "the host %s was not heard of yet", h.Name)
		return
	case h.State == HostMissing:
		say(kind+" missing", "the host %s is missing: it was last heard of at %s", h.Name, at(h.Seen))
		return
	case h.State != HostHere:
		return
	case h.Trouble != "":
		say(kind+" trouble", "the host %s does not follow the records of the others: %s", h.Name, h.Trouble)
	}
	if h.Elsewhere {
		say(kind+" servers", "the host %s has another list in cluster.servers than this one: names and addresses have to be the same on all hosts", h.Name)
	}
	if h.Differently {
		say(kind+" settings", "the host %s serves records differently: http.public_url and http.time_zone have to be the same on all hosts, and so has the version", h.Name)
	}
}

// Unused says why this host does not use what a [Budget] says is used elsewhere.
func (c *Cluster) Unused() string {
	if c != nil && !c.Quorum {
		return "not used while this host is cut off"
	}
	return "another host uses it"
}

// Scheduler returns the host that says what is due; "" for none.
func (c *Cluster) Scheduler() string {
	for _, l := range c.Leases {
		if l.Right == RightScheduler {
			return l.Holder
		}
	}
	return ""
}

// cluster returns c with all times as the status tells them.
func (m *Maker) cluster(c *Cluster) *Cluster {
	if c == nil {
		return nil
	}
	told := *c
	for _, t := range []*time.Time{&told.CutOffSince, &told.Rebuilding, &told.Compared, &told.Expires, &told.AsOf, &told.Unscheduled, &told.Double} {
		*t = m.moment(*t)
	}
	told.Warnings, told.Work = append([]string{}, c.Warnings...), append([]Work{}, c.Work...)
	told.Hosts, told.Leases = append([]Host{}, c.Hosts...), append([]Lease{}, c.Leases...)
	for i := range told.Hosts {
		told.Hosts[i].Seen = m.moment(told.Hosts[i].Seen)
	}
	for i := range told.Leases {
		told.Leases[i].Since = m.moment(told.Leases[i].Since)
	}
	return &told
}
