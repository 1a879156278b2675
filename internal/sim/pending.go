package sim

import "sync"

// pending remembers for which head of a repository participation is being computed, and
// how many more times that is to be the answer.
type pending struct {
	mu    sync.Mutex
	heads map[int64]pendingHead // by the repository's id
}

// pendingHead is small, as there may be a million: of the hash, four bytes do.
type pendingHead struct {
	head [4]byte
	left int32
}

// ask reports whether participation at a head is still being computed, which it is for the
// given number of calls.
func (p *pending) ask(repo int64, head oid, times int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h, ok := p.heads[repo]
	if begin := [4]byte(head[:4]); !ok || h.head != begin {
		h = pendingHead{begin, int32(times)}
	}
	busy := h.left > 0
	if busy {
		h.left--
	}
	if p.heads == nil {
		p.heads = map[int64]pendingHead{}
	}
	p.heads[repo] = h
	return busy
}
