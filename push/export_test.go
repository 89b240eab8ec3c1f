package push

// Arrivals is how many logins other nodes have not been told.
func (h *Hub[C]) Arrivals() int { return len(h.unannounced) }
