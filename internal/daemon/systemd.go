package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"

	"pkgmetad/internal/record"
)

// notifier tells systemd how the daemon is: the other end of Type=notify and of
// WatchdogSec=. Where systemd did not start the daemon it tells nobody.
type notifier struct {
	log      zerolog.Logger
	on       bool          // somebody listens
	patience time.Duration // how long a datagram may wait to be read
	watchdog time.Duration // without a ping for so long the daemon is killed; 0: never
	activity func() string // what the daemon does now, in a line for a person
	alive    func() error  // nil while the daemon can do its work
}

// statusEvery is how often systemd is told what the daemon does, if that changed.
const statusEvery = 5 * time.Second

func newNotifier(log zerolog.Logger, activity func() string, alive func() error) (*notifier, error) {
	n := &notifier{log: log, on: os.Getenv("NOTIFY_SOCKET") != "", patience: systemdPatience, activity: activity, alive: alive}
	var err error
	if n.watchdog, err = systemd.SdWatchdogEnabled(false); err != nil {
		return nil, fmt.Errorf("the watchdog that systemd asks for ($WATCHDOG_USEC): %w", err)
	}
	return n, nil
}

// systemdPatience is how long a datagram waits for a systemd that is too busy to read.
// Nothing that the daemon does may hang on it for ever.
const systemdPatience = 5 * time.Second

// tell sends assignments in one datagram.
func (n *notifier) tell(assignments ...string) {
	if !n.on {
		return
	}
	if err := send(os.Getenv("NOTIFY_SOCKET"), strings.Join(assignments, "\n"), n.patience); err != nil {
		n.log.Warn().Err(err).Msg("systemd cannot be told: " + assignments[0])
	}
}

// send is systemd.SdNotify with an end: that would wait for as long as nobody reads.
func send(socket, text string, patience time.Duration) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
}

// A start may take longer than TimeoutStartSec= allows, where a large catalogue is taken
// over or a database migrated. Each startEvery systemd is told to wait startExtends more,
// for startLimit in all.
const (
	startEvery   = 20 * time.Second
	startExtends = 90 * time.Second
	startLimit   = time.Hour
)

// starting has systemd wait while the daemon starts, until started is called.
func (n *notifier) starting() (started func()) {
	if !n.on {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var telling sync.WaitGroup
	telling.Go(func() {
		ticker := time.NewTicker(startEvery)
		defer ticker.Stop()
		for range startLimit / startEvery {
			n.tell(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", startExtends.Microseconds()), "STATUS=starting: opening the database, taking over the catalogue")
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	return func() { cancel(); telling.Wait() }
}

// ready tells that the daemon serves, or that it is done with a reload.
func (n *notifier) ready() {
	if n.on {
		n.tell(systemd.SdNotifyReady, "STATUS="+n.activity())
	}
}

// reloading tells that a reload begins; ready that it has ended.
func (n *notifier) reloading() {
	n.tell(systemd.SdNotifyReloading, strings.TrimSpace(systemd.SdNotifyMonotonicUsec()), "STATUS=reloading")
}

// run tells that the daemon is ready, then what it does and that it is alive, and
// returns when ctx ends, which is when the daemon stops.
//
// It asks whether the daemon is alive in its own goroutine: a store that does not
// answer keeps it from pinging, and so does a daemon that says what is wrong.
func (n *notifier) run(ctx context.Context) {
	if !n.on {
		return
	}
	n.ready()
	status := time.NewTicker(statusEvery)
	defer status.Stop()
	var ping <-chan time.Time // never
	if n.watchdog > 0 {
		pings := time.NewTicker(n.watchdog / 3)
		defer pings.Stop()
		ping = pings.C
	}
	told, wasAlive := "", true
	for {
		select {
		case <-ctx.Done():
			n.tell(systemd.SdNotifyStopping, "STATUS=stopping: what has arrived is stored, what is being answered is finished")
			return
		case <-status.C:
			if now := n.activity(); now != told {
				n.tell("STATUS=" + now)
				told = now
			}
		case <-ping:
			err := n.alive()
			if err == nil {
				n.tell(systemd.SdNotifyWatchdog)
			} else if wasAlive {
				n.log.Error().Err(err).Dur("watchdog", n.watchdog).Msg("not well: systemd's watchdog will restart the daemon unless this passes")
			}
			wasAlive = err == nil
		}
	}
}

// doing says in a line what the daemon does now.
func (d *Daemon) doing() string {
	packages, err := d.packages()
	if err != nil {
		return err.Error()
	}
	rest := "; catalogue of " + record.Count(packages, "package", "packages")
	location := d.scheduler.plan.Load().location
	paused := d.refresher.paused.Load()
	if since := d.refresher.passSince.Load(); since != nil {
		doing := "pass running since " + since.In(location).Format(clock)
		if p := d.refresher.passProgress.Load(); p != nil {
			doing += fmt.Sprintf(", %d of %d", p.Done, p.Total)
		}
		if paused != nil {
			doing += ", the last one until passes are resumed"
		}
		return doing + rest
	}
	if paused != nil {
		return "paused since " + paused.In(location).Format(clock) + rest
	}
	return "idle until " + d.scheduler.next(time.Now()).In(location).Format(clock) + rest
}

const clock = "2006-01-02 15:04:05 MST"

// alive returns nil while the store answers and the schedule is kept. It is not
// about readiness: a catalogue that is missing, a damaged record or an upstream that
// is down would outlive a restart, and the daemon tells of them as it runs.
func (d *Daemon) alive() error {
	if _, err := d.packages(); err != nil {
		return err
	}
	return d.scheduler.alive(time.Now())
}

// packages asks the store how many there are: what it can tell of even the emptiest
// and most damaged one, if it answers at all.
func (d *Daemon) packages() (int, error) {
	_, n, err := d.refresher.store.Packages(0, 0)
	if err != nil {
		err = fmt.Errorf("the store does not answer: %w", err)
	}
	return n, err
}

// listen returns the socket that systemd listens on for the daemon (a .socket unit,
// whose address then counts), else one at the configured address.
func (d *Daemon) listen() (net.Listener, error) {
	given, err := activation.Listeners()
	if err != nil {
		return nil, err
	}
	if len(given) == 0 {
		d.refresher.warnOf(hostWarnings(d.cfg, d.cfg.HTTP.Listen))
		return Listen(d.cfg.HTTP.Listen)
	}
	if len(given) == 1 && given[0] != nil && given[0].Addr().Network() == "tcp" {
		d.log.Info().Msg("the socket on " + given[0].Addr().String() + " is systemd's: http.listen does not count")
		d.refresher.warnOf(hostWarnings(d.cfg, given[0].Addr().String()))
		return given[0], nil
	}
	var got []string
	for _, l := range given {
		if l == nil {
			got = append(got, "one that takes no connections")
			continue
		}
		got = append(got, l.Addr().Network()+" "+l.Addr().String())
		_ = l.Close()
	}
	return nil, fmt.Errorf("systemd passed %s (%s), and one TCP socket is needed: name one port in one ListenStream= of the .socket unit", record.Count(len(given), "socket", "sockets"), strings.Join(got, ", "))
}
