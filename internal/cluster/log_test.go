package cluster

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

func TestServerLog(t *testing.T) {
	var b bytes.Buffer
	l := newServerLog(zerolog.New(&b))
	l.Noticef("Server is %s", "ready")
	for port := 40000; port < 40003; port++ {
		l.Errorf("%s", fmt.Sprintf("10.0.0.9:%d - cid:%d - authentication error - User \"x\"", port, port))
		l.Errorf("%s", fmt.Sprintf("10.0.0.%d:4000 - rid:5 - TLS route handshake error: EOF", 8+port%2))
		l.Warnf("Slow %s", fmt.Sprintf("disk, attempt %d", port))
		l.Errorf("Error trying to connect to route (attempt %d): refused", port)
	}
	l.Errorf("[fd00::1]:4000 - cid:1 - \"v1.0.0:go:host\" - Maximum Payload Violation")
	l.Warnf("Filestore [_meta_] Stream state outdated, last block has additional entries, will rebuild")
	l.Warnf("Filestore [_meta_] write error: no space left on device")
	l.Errorf("10.0.0.9:40000 - rid:7 - Route Error 'Stale Connection'")
	l.Errorf("10.0.0.9:40000 - rid:7 - Route Error 'Authorization Violation'")
	l.Fatalf("can't %s", "go on")
	want := []string{
		`debug: Server is ready`,
		`warn: 10.0.0.9 was refused, because it has another secret than this host: it is a stranger, or cluster.secret_file is not the same on all hosts`,
		`warn: no encrypted connection with 10.0.0.8, which is refused: TLS route handshake error: EOF`,
		`warn: Slow disk, attempt 40000`,
		`debug: Error trying to connect to route (attempt 40000): refused`,
		`debug: 10.0.0.9 was refused, because it has another secret than this host: it is a stranger, or cluster.secret_file is not the same on all hosts`,
		`warn: no encrypted connection with 10.0.0.9, which is refused: TLS route handshake error: EOF`,
		`debug: Slow disk, attempt 40001`,
		`debug: Error trying to connect to route (attempt 40001): refused`,
		`debug: 10.0.0.9 was refused, because it has another secret than this host: it is a stranger, or cluster.secret_file is not the same on all hosts`,
		`debug: no encrypted connection with 10.0.0.8, which is refused: TLS route handshake error: EOF`,
		`debug: Slow disk, attempt 40002`,
		`debug: Error trying to connect to route (attempt 40002): refused`,
		`error: [fd00::1]: Maximum Payload Violation`,
		`debug: Filestore [_meta_] Stream state outdated, last block has additional entries, will rebuild`,
		`warn: Filestore [_meta_] write error: no space left on device`,
		`debug: Route Error 'Stale Connection'`,
		`warn: the server at 10.0.0.9 refuses this one: cluster.secret_file is not the same on both`,
		`error: can't go on`,
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(strings.Replace(line, `","part":"embedded server","message":"`, ": ", 1), "\"}\n")
		got = append(got, strings.TrimPrefix(line, `{"level":"`))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := l.refusal(); !strings.HasPrefix(got, "the server at 10.0.0.9 refuses") {
		t.Errorf("the last refusal is %q", got)
	}
	if err := l.fatal(); err == nil || err.Error() != "can't go on" {
		t.Errorf("died of %v", err)
	}
}

func TestOnce(t *testing.T) {
	var o once
	now := time.Now()
	if !o.first("x", now) || o.first("x", now.Add(quiet)) || o.first("x", now.Add(2*quiet)) || !o.first("x", now.Add(4*quiet)) {
		t.Error("what goes on is not said once, or what comes again after a while is not")
	}
	for i := range 5000 {
		o.first(fmt.Sprintf("%dth kind", i), now.Add(4*quiet))
	}
	if len(o.seen) != 1000 || o.first("another", now.Add(5*quiet)) || !o.first("another", now.Add(6*quiet)) {
		t.Errorf("%d kinds are kept, or they are kept for ever", len(o.seen))
	}
}
