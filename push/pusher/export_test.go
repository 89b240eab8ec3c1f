package pusher

// Bound has Replays remember fewer signatures.
func (r *Replays) Bound(most int) { r.most = most }
