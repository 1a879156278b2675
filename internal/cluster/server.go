package cluster

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	clusterName = "pkgmetad"
	clientPorts = 1000      // from the port for servers to that for hosts without one
	maxPayload  = 8 << 20   // bytes of a message; a record is seldom more than 1 MB
	maxStore    = 1 << 50   // bytes on disk: what the disk has is the limit
	maxMemory   = 256 << 20 // bytes of streams in memory, of which there are none

	// A peer that hangs, or that the network swallows, is given up after three of
	// these, so that the connection after it need not wait for TCP's own patience.
	pingInterval = 3 * time.Second
)

// The users that connections authenticate as; their passwords are derived.
const (
	routeUser  = "pkgmetad-server"
	clientUser = "pkgmetad-host"
)

// password derives a user's password from the secret, which itself is never sent.
func password(secret []byte, user string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("pkgmetad cluster password of " + user))
	return hex.EncodeToString(mac.Sum(nil))
}

// An embedded is the server that this host runs.
type embedded struct {
	options Options

	mu     sync.Mutex
	server *server.Server
	log    *serverLog // of that server
}

// startServer starts the embedded server and waits until it takes connections.
func startServer(ctx context.Context, o Options) (*embedded, error) {
	if err := os.MkdirAll(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the embedded server: %w", err)
	}
	if err := os.Chmod(o.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("folder of the embedded server: %w", err)
	}
	if err := leaveOther(o); err != nil {
		return nil, fmt.Errorf("folder of the embedded server: %w", err)
	}
	e := &embedded{options: o}
	return e, e.start(ctx)
}

// The folders of streams, within Options.Folder: of a server that is alone, and of
// one of several. What one leaves is of no use to the other, which would make a mess
// of it; and it is old when it would be found again.
const (
	aloneFolder    = "alone"
	togetherFolder = "together"
)

// folders returns the folder of the streams, and the one that they are not in.
func (o Options) folders() (own, other string) {
	own, other = filepath.Join(o.Folder, aloneFolder), filepath.Join(o.Folder, togetherFolder)
	if len(o.Servers) > 1 {
		own, other = other, own
	}
	return own, other
}

// leaveOther removes the streams from before there was another server, or none.
func leaveOther(o Options) error {
	_, other := o.folders()
	if _, err := os.Stat(other); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	o.Log.Warn().Str("folder", other).Msg("this server was alone before and has others now, or the other way round: its streams are removed and made anew")
	return os.RemoveAll(other)
}

func (e *embedded) start(ctx context.Context) error {
	options, err := serverOptions(e.options)
	if err != nil {
		return err
	}
	if err := canListen(options); err != nil {
		return err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("embedded server: %w", err)
	}
	log := newServerLog(e.options.Log)
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	for !s.ReadyForConnections(100 * time.Millisecond) {
		if err := cmp.Or(log.fatal(), ctx.Err()); err != nil {
			s.Shutdown()
			s.WaitForShutdown()
			return fmt.Errorf("start the embedded server in %s: %w", e.options.Folder, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.server, e.log = s, log
	return nil
}

// current returns the server that runs now.
func (e *embedded) current() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server
}

// refusal returns what was refused lately between this server and another host; "" for nothing.
func (e *embedded) refusal() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.refusal()
}

// InProcessConn connects the client to the server that runs now.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.current().InProcessConn() }

// stores reports whether the server keeps streams. Where its disk was full, it does
// not any more, and leaves that to the others.
func (e *embedded) stores() bool { return e.current().JetStreamEnabled() }

// stop stops the server and waits for its end.
func (e *embedded) stop() {
	s := e.current()
	s.Shutdown()
	s.WaitForShutdown()
}

// peers returns how many other servers this one is connected to.
func (e *embedded) peers() int {
	routes, err := e.current().Routez(nil)
	if err != nil {
		return 0
	}
	names := map[string]bool{}
	for _, r := range routes.Routes {
		names[r.RemoteID] = true
	}
	return len(names)
}

func serverOptions(o Options) (*server.Options, error) {
	host, port, err := splitAddress(o.Servers[o.Name])
	if err != nil {
		return nil, err
	}
	folder, _ := o.folders()
	options := &server.Options{
		ServerName: o.Name,
		Host:       host,
		Port:       clientPort(port),
		Username:   clientUser,
		Password:   password(o.Secret, clientUser),

		NoSigs:       true,
		MaxPayload:   maxPayload,
		PingInterval: pingInterval,
		MaxPingsOut:  2,

		JetStream:          true,
		StoreDir:           folder,
		SyncAlways:         true, // otherwise a power cut takes back up to two minutes of what was acknowledged
		JetStreamMaxStore:  maxStore,
		JetStreamMaxMemory: maxMemory,
	}
	if o.TLS != nil {
		options.TLSConfig, options.TLSVerify, options.TLSTimeout = mutual(o.TLS), true, 5
		options.TLSHandshakeFirst = true // a stranger is not even told the server's name
	}
	if len(o.Servers) == 1 {
		return options, nil // alone it needs no other's consent
	}
	options.Cluster = server.ClusterOpts{
		Name:         clusterName,
		Host:         host,
		Port:         port,
		Username:     routeUser,
		Password:     password(o.Secret, routeUser),
		NoAdvertise:  true, // hosts know each other's addresses by their options alone
		PingInterval: pingInterval,
		MaxPingsOut:  2,
	}
	if o.TLS != nil {
		options.Cluster.TLSConfig, options.Cluster.TLSTimeout = mutual(o.TLS), 5
	}
	for _, address := range o.Servers {
		// This server's own address is among them: how many there are is how many it
		// takes before the first stream is made.
		options.Routes = append(options.Routes, &url.URL{
			Scheme: "nats-route", Host: address,
			User: url.UserPassword(routeUser, options.Cluster.Password),
		})
	}
	return options, nil
}

// mutual returns the configuration with which both sides of a connection show a
// certificate of the CA.
func mutual(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if config.ClientCAs == nil {
		config.ClientCAs = config.RootCAs
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return config
}

// canListen finds out what the server would only log and die of.
func canListen(o *server.Options) error {
	ports := []int{o.Port}
	if o.Cluster.Port != 0 {
		ports = append(ports, o.Cluster.Port)
	}
	for _, port := range ports {
		if port < 0 {
			continue // any
		}
		l, err := net.Listen("tcp", net.JoinHostPort(o.Host, strconv.Itoa(port)))
		if err != nil {
			return fmt.Errorf("cluster.servers has %s, this host, at %s, where it cannot listen: %w%s", o.ServerName, net.JoinHostPort(o.Host, strconv.Itoa(o.Port-clientPorts)), err, whyNot(err))
		}
		_ = l.Close()
	}
	return nil
}

// whyNot says what is to be looked at where a server cannot listen.
func whyNot(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("; another program has that port, or the one %d above, or another host of the same name runs here", clientPorts)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "; this machine has no such address: correct it, or cluster.name if this is another host"
	}
	return ""
}

// splitAddress returns host and port of an address; the port may be 0.
func splitAddress(address string) (string, int, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil:
		return "", 0, fmt.Errorf("port %q of %s is no number up to 65535", text, address)
	case host == "":
		return "", 0, fmt.Errorf("%s has no host; the others must be able to reach it", address)
	case port+clientPorts > 65535:
		return "", 0, fmt.Errorf("port of %s: the one %d above is used too, and must not be beyond 65535", address, clientPorts)
	}
	return host, int(port), nil
}

// clientPort is where hosts without a server connect.
func clientPort(port int) int {
	if port == 0 {
		return server.RANDOM_PORT
	}
	return port + clientPorts
}

// FreeAddresses returns addresses on loopback for so many servers, whose ports for
// servers and for hosts are free now. It is for tests and demonstrations.
func FreeAddresses(count int) ([]string, error) {
	var all []string
	var held []net.Listener // so that no port is given twice
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range 1000 {
		if len(all) == count {
			return all, nil
		}
		// Below the ports that systems give to whoever asks for any: nobody is given
		// this one while its server restarts.
		port := 10000 + rand.IntN(20000)
		for _, p := range []int{port, clientPort(port)} {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
			if err != nil {
				port = 0
				break
			}
			held = append(held, l)
		}
		if port != 0 {
			all = append(all, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		}
	}
	return nil, fmt.Errorf("no %d free ports on loopback, each with the one %d above", count, clientPorts)
}
