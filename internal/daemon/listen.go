package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"pkgmetad/internal/cluster"
)

// Listen listens on a TCP address, host:port. Its error says what helps.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		return l, nil
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	advice := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "; another program uses this port: stop it, or choose another one"
	case errors.Is(err, syscall.EACCES):
		advice = "; ports below 1024 are for root alone"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "; this machine has no such address"
	}
	return nil, fmt.Errorf("listen on %s: %w%s", address, err, advice)
}

// shutdown lets a server finish what it answers. What takes longer than the grace
// allows is cut off, which is no fault of ours.
func shutdown(grace context.Context, s *http.Server) error {
	if err := s.Shutdown(grace); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// LoopbackServers returns where the servers of hosts that are all on this machine can listen,
// by the hosts' names, as [config.Cluster] wants it. It is for a demonstration: another program
// may take the ports meanwhile.
func LoopbackServers(names []string) (map[string]string, error) {
	addresses, err := cluster.FreeAddresses(len(names))
	if err != nil {
		return nil, err
	}
	servers := map[string]string{}
	for i, name := range names {
		servers[name] = addresses[i]
	}
	return servers, nil
}
