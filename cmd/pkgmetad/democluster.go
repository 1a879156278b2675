package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
)

// maxDemoHosts is how many hosts the demo has at most: as many servers as are of use.
const maxDemoHosts = 5

// demoCluster runs several daemons, in this process, as the hosts of a cluster. It returns
// when all have ended; if one of them fails, the others are stopped.
func demoCluster(ctx context.Context, o demoOptions, folder, upstreams string, stdout, stderr io.Writer) error {
	hosts, err := demoHosts(o, folder, upstreams)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running, starting sync.WaitGroup
	errs := make([]error, len(hosts))
	var log sync.Mutex
	for i, host := range hosts {
		starting.Add(1)
		started := sync.OnceFunc(starting.Done)
		running.Go(func() {
			defer started()
			defer stop()
			err := host.serve(ctx, &hostLog{host.cluster.Name, &log, stderr}, func(string) { started() })
			if err != nil {
				errs[i] = fmt.Errorf("host %s: %w", host.cluster.Name, err)
			}
		})
	}
	starting.Wait()
	if ctx.Err() == nil {
		fmt.Fprintf(stdout, "\npkgmetad demo: %d real daemons, which share work and records, over a simulated GitHub and PyPI. Ctrl-C stops them.\nIt takes them some ten seconds to find each other.\n\n%s\n",
			len(hosts), demoAddresses(hosts[0].public))
		for _, host := range hosts {
			fmt.Fprintf(stdout, "  host %s              %s/\n  as its operator     pkgmetad status --config %s\n", host.cluster.Name, config.HTTP{}.LinkBase(host.listen), host.file())
		}
		fmt.Fprintf(stdout, "\n%s", demoUpstreams(upstreams))
	}
	running.Wait()
	return errors.Join(errs...)
}

// demoHosts returns the hosts, each with a folder and a port of its own. What all of them have,
// the secret and the catalogue, is in folder.
func demoHosts(o demoOptions, folder, upstreams string) ([]demoHost, error) {
	secret := rand.Text()
	secretFile := filepath.Join(folder, "cluster.secret")
	if err := os.WriteFile(secretFile, []byte(secret), 0o600); err != nil {
		return nil, err
	}
	names := []string{"a", "b", "c", "d", "e"}[:o.hosts]
	servers, err := daemon.LoopbackServers(names)
	if err != nil {
		return nil, err
	}
	addresses, err := consecutive(o.listen, len(names))
	if err != nil {
		return nil, err
	}
	var hosts []demoHost
	for i, name := range names {
		host := demoHost{
			folder: filepath.Join(folder, name), catalogue: filepath.Join(folder, demoCatalogue), listen: addresses[i], upstreams: upstreams,
			public:  config.HTTP{}.LinkBase(addresses[0]),
			cluster: config.Cluster{Name: name, Servers: servers, SecretFile: secretFile, Secret: config.NewSecret(secret)},
		}
		if i == 0 {
			host.admin = o.admin
		}
		if err := os.Mkdir(host.folder, 0o700); err != nil {
			return nil, err
		}
		hosts = append(hosts, host)
	}
	return hosts, nil
}

// consecutive returns an address and those with the ports after it or, where its port is 0, with
// ports that are free now: the hosts have to know the first one before it is listened on.
func consecutive(address string, count int) (all []string, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := net.LookupPort("tcp", text)
	if err != nil {
		return nil, err
	}
	if last := port + count - 1; port > 0 && last > 65535 {
		return nil, fmt.Errorf("--listen %q: %d hosts take the ports %d to %d, and 65535 is the highest; write a lower one", address, count, port, last)
	}
	for i := range count {
		if port > 0 {
			all = append(all, net.JoinHostPort(host, strconv.Itoa(port+i)))
			continue
		}
		l, err := daemon.Listen(address)
		if err != nil {
			return nil, err
		}
		defer l.Close() // all of them at the end, so that no port is given twice
		all = append(all, l.Addr().String())
	}
	return all, nil
}

// hostLog is where one of several hosts logs: each line begins with its name.
type hostLog struct {
	name string
	mu   *sync.Mutex // of w
	w    io.Writer
}

// Write implements [io.Writer]. It is passed whole lines.
func (l *hostLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(p) {
		if _, err := l.w.Write(append([]byte(l.name+"  "), line...)); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
