package search

import (
	"sync"
	"time"
)

// Standing says whether searches find everything.
type Standing string

const (
	Current     Standing = "current"     // it follows the store, at most a few seconds behind
	Behind      Standing = "behind"      // it is being built or is catching up: searches find what has been indexed so far
	Failing     Standing = "failing"     // it cannot follow the store: searches find what had been indexed before
	Unavailable Standing = "unavailable" // it is not open: Search fails with ErrNotReady
)

// State is the state of an index.
type State struct {
	Standing Standing
	Since    time.Time // when it entered that state
	Sequence uint64    // up to which it has followed the store
	Err      error     // the last failure; nil unless Standing is Failing or Unavailable
}

// State returns the state of the index. After Open it is Behind until Run has found
// that there is nothing left to index.
func (x *Index) State() State {
	x.state.mu.Lock()
	defer x.state.mu.Unlock()
	return x.state.State
}

// heldState is a State that is safe for concurrent use.
type heldState struct {
	mu sync.Mutex
	State
}

// change sets the standing, and the error that led to it.
func (h *heldState) change(to Standing, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.Standing != to {
		h.Standing, h.Since = to, time.Now()
	}
	h.Err = err
}

// reopened records the result of opening the index. An index that is Failing stays so:
// that it can be opened does not mean that it can be written to.
func (h *heldState) reopened(err error) {
	switch {
	case err != nil:
		h.change(Unavailable, err)
	case h.standing() != Failing:
		h.change(Behind, nil)
	}
}

// followed records that the index has followed the feed up to a sequence, and whether
// it is now Current or still Behind.
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
