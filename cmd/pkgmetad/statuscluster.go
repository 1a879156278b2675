package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"pkgmetad/internal/record"
	"pkgmetad/internal/status"
)

// clusterLines tells how several hosts stand, as far as one of them knows.
func clusterLines(c *status.Cluster, now time.Time, line func(name, format string, args ...any)) {
	line("cluster", "%s", connection(c, now))
	line("", "%s", following(c, now))
	for _, warning := range c.Warnings {
		line("", "%s", warning)
	}
	if c.AsOf.IsZero() {
		line("", "what the others do is not known yet")
		return
	}
	if !c.Quorum {
		line("", "what follows is as of %s", moment(c.AsOf, now, ""))
	}
	for i := range c.Hosts {
		line("host "+c.Hosts[i].Name, "%s", hostLine(c, &c.Hosts[i], now))
	}
	for i := range c.Leases {
		l := &c.Leases[i]
		line(strings.TrimSpace(l.Right+" "+l.Credential), "%s", leaseLine(c.Host, l, now))
	}
	for _, w := range c.Work {
		line("work "+w.Class, "%d waiting, %d taken", w.Waiting, w.Taken)
	}
}

// connection says whether this host reaches the others.
func connection(c *status.Cluster, now time.Time) string {
	text := fmt.Sprintf("this host is %s, ", c.Host)
	if c.Quorum {
		text += "and reaches the others"
	} else {
		text += "cut off since " + moment(c.CutOffSince, now, "an unknown time")
	}
	if c.Servers > 0 {
		text += fmt.Sprintf("; %d of %s reached", c.Reached, record.Count(c.Servers, "server", "servers"))
	}
	return text
}

// following says how far this host has followed the others.
func following(c *status.Cluster, now time.Time) string {
	if c.Applied == 0 && c.Lag == 0 { // how much it lacks is not known either
		return "it has nothing of what the others have yet"
	}
	text := "it has followed the others to " + cmp.Or(sequenceText(c.Applied), "nothing yet") + ", " + behind(c.Lag)
	if !c.Rebuilding.IsZero() {
		text += "; its store has been built anew since " + moment(c.Rebuilding, now, "")
	}
	if c.Compared.IsZero() {
		return text + "; not compared with them yet"
	}
	return text + "; last compared with them " + moment(c.Compared, now, "")
}

func sequenceText(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint("message ", n)
}

func behind(lag uint64) string {
	if lag == 0 {
		return "and lacks none"
	}
	return "and lacks " + record.Count(int(lag), "message", "messages")
}

// hostLine says how a host stands.
func hostLine(c *status.Cluster, h *status.Host, now time.Time) string {
	if h.Seen.IsZero() {
		return h.State + ", never heard of"
	}
	parts := []string{h.State}
	if h.Name == c.Host {
		parts[0] = "this one"
	} else {
		parts = append(parts, "last heard of "+moment(h.Seen, now, ""))
	}
	parts = append(parts, "version "+cmp.Or(h.Version, "unknown"), work(h.Workers), has(h))
	if !h.Server {
		parts = append(parts, "runs no server")
	}
	if h.Differently {
		parts = append(parts, "serves records differently")
	}
	if h.Elsewhere {
		parts = append(parts, "has another cluster.servers")
	}
	if h.Trouble != "" {
		parts = append(parts, h.Trouble)
	}
	return strings.Join(parts, ", ")
}

func has(h *status.Host) string {
	if h.Applied == 0 && h.Lag == 0 {
		return "has nothing yet"
	}
	return "has " + cmp.Or(sequenceText(h.Applied), "nothing yet") + " " + behind(h.Lag)
}

func work(workers int) string {
	if workers == 0 {
		return "only serves"
	}
	return record.Count(workers, "worker", "workers")
}

// leaseLine says who has a right, and what is left of a credential.
func leaseLine(host string, l *status.Lease, now time.Time) string {
	text := cmp.Or(l.Holder, "nobody")
	switch {
	case l.Here:
		text += " (this host)"
	case l.Holder == "":
		return text
	case l.Holder == host:
		text += " (this host, as it ran before)"
	}
	if !l.Since.IsZero() {
		text += " since " + moment(l.Since, now, "")
	}
	if l.Requests != nil {
		text += fmt.Sprintf(", %d of %d requests left", l.Requests.Remaining, l.Requests.Limit)
	}
	if l.Points != nil {
		text += fmt.Sprintf(", %d of %d GraphQL points left", l.Points.Remaining, l.Points.Limit)
	}
	return text
}
