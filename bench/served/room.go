//go:build unix

package served

import "sync"

// A Room has the connections of a broadcast. It is safe for concurrent use.
type Room[Conn comparable] struct {
	mu  sync.RWMutex
	all map[Conn]struct{} // mu guards it
}

// Enter adds a connection.
func (r *Room[Conn]) Enter(c Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[Conn]struct{}{}
	}
	r.all[c] = struct{}{}
}

// Leave removes a connection.
func (r *Room[Conn]) Leave(c Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, c)
}

// Each calls do for each connection.
func (r *Room[Conn]) Each(do func(Conn)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for c := range r.all {
		do(c)
	}
}
