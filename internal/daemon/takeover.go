package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/cluster"
)

// takeoverAgain is when a catalogue file is looked at again that could not be taken over.
const takeoverAgain = time.Minute

// takeovers takes this host's catalogue file over when there is reason to, until ctx ends.
func (m *member) takeovers(ctx context.Context) {
	var again <-chan time.Time
	said := ""
	for {
		select {
		case <-m.takeover:
		case <-again:
		case <-ctx.Done():
			return
		}
		again = nil
		err := m.takeOverFile(ctx)
		if err == nil || ctx.Err() != nil {
			said = ""
			continue
		}
		again = time.After(takeoverAgain)
		if err.Error() != said {
			said = err.Error()
			m.refresher.noteReload(err)
			m.log.Error().Msg(said)
		}
	}
}

// takeOverFile takes the catalogue file of this host over, where the hosts know of none yet, or
// where the file is not the one that this host last took over. The file of a host that joins
// may be old: what the others have counts, until the file is changed.
func (m *member) takeOverFile(ctx context.Context) error {
	r := m.refresher
	cfg := r.cfg()
	digest, last := catalogue.Digest(cfg.Catalogue.Path, cfg.GitHub.URLHost), m.store.CatalogueDigest()
	switch {
	case !m.store.Synced():
	case digest != nil && bytes.Equal(digest, last):
		m.log.Info().Msg("catalogue as before, from " + cfg.Catalogue.Path)
		return nil
	case digest == nil && !exists(cfg.Catalogue.Path):
		m.log.Info().Msg("the catalogue is that of the other hosts; this one has no file " + cfg.Catalogue.Path)
		return nil
	case last == nil:
		m.log.Info().Msg("the catalogue is that of the other hosts; the file " + cfg.Catalogue.Path + " of this one counts once it is changed, or on a reload")
		return m.store.NoteCatalogue(digest)
	}
	return r.takeOverCatalogue(cfg, false)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// catalogueWait is how long a host waits for others that take a catalogue over.
const catalogueWait = 2 * leaseTime

// alone runs f while no other host takes a catalogue over.
func (m *member) alone(ctx context.Context, f func() error) error {
	if !m.caughtUp.Load() {
		return errors.New("take the catalogue over: this host has not come to where the others are, so nothing was changed; " + m.obstacle())
	}
	turn := m.takeTurn(ctx, "catalogue")
	defer turn.end()
	select {
	case <-turn.held:
		return f()
	case <-time.After(catalogueWait):
		return notItsTurn(m.node.Reach(), m.obstacle())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// notItsTurn says why this host took no catalogue over.
func notItsTurn(r cluster.Reach, obstacle string) error {
	why := fmt.Sprintf("it was not this host's turn within %s", catalogueWait)
	if !r.Quorum {
		why = "this host is cut off from the others"
	}
	return fmt.Errorf("take the catalogue over: %s, so nothing was changed; %s", why, obstacle)
}

// A turn is a lease that is taken for something that comes to an end.
type turn struct {
	held, lost chan struct{} // closed when it is this host's turn, and when it was
	end        func()        // gives the lease back
}

// takeTurn has this host wait for a lease, until end is called.
func (m *member) takeTurn(ctx context.Context, name string) turn {
	ctx, cancel := context.WithCancel(ctx)
	t := turn{held: make(chan struct{}), lost: make(chan struct{})}
	var begin, over sync.Once
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.node.Lease(name, leaseTime).Run(ctx, func() []byte { return nil }, func(now bool, _ []byte) {
			if now {
				begin.Do(func() { close(t.held) })
			} else {
				over.Do(func() { close(t.lost) })
			}
		})
	}()
	t.end = func() {
		cancel()
		<-done
	}
	return t
}

// obstacle says what is in the way of a change.
func (m *member) obstacle() string {
	if r := m.node.Reach(); !r.Quorum {
		return r.Err
	}
	if t := m.trouble.Load(); t != nil {
		return *t
	}
	return "try again when the hosts are at rest"
}
