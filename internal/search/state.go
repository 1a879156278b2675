package search

import (
	"sync"
	"time"
)

// Standing says what the answers of an index are worth.
type Standing string

const (
	Current     Standing = "current"     // it has followed the store to the end, and is a few seconds behind at most
	Behind      Standing = "behind"      // it is being built, or catches up: searches find what has been indexed so far
	Failing     Standing = "failing"     // it cannot follow the store: searches find what had been indexed before
	Unavailable Standing = "unavailable" // it is not open: Search fails with ErrNotReady
)

// State is how an index stands.
type State struct {
	Standing Standing
	Since    time.Time // when that began
	Sequence uint64    // of the store, up to which it has been followed
	Err      error     // the last failure, where Standing is Failing or Unavailable
}

// State returns how the index stands. One that was opened is Behind until Run has
// seen that there is nothing to follow.
func (x *Index) State() State {
	x.state.mu.Lock()
	defer x.state.mu.Unlock()
	return x.state.State
}

// heldState is the state that an index holds.
type heldState struct {
	mu sync.Mutex
	State
}

// change changes to a standing, for the reason err.
func (h *heldState) change(to Standing, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Standing != to {
		h.Standing, h.Since = to, time.Now()
	}
	h.Err = err
}

// reopened follows from opening the index, which may have failed. That it could be
// opened does not mean that it can be written to.
func (h *heldState) reopened(err error) {
	switch {
	case err != nil:
		h.change(Unavailable, err)
	case h.standing() != Failing:
		h.change(Behind, nil)
	}
}

// followed follows from having followed the feed up to a sequence, behind which
// there is nothing more or, where to is Behind, more.
func (h *heldState) followed(sequence uint64, to Standing) {
	h.change(to, nil)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Sequence = sequence
}

func (h *heldState) standing() Standing {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Standing
}
