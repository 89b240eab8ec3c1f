package push

// seats are the subscribers of channels that have a bound, on all nodes of a Memory. Guarded by the broker's lock.
type seats map[Target]map[*memoryLink]int

// takeSeat counts one more subscriber of a channel, unless there are so many. It tells how many there were.
func (l *memoryLink) takeSeat(channel Target, most int) (taken int, ok bool) {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.seats[channel] {
		taken += n
	}
	if taken >= most {
		return taken, false
	}
	if b.seats == nil {
		b.seats = make(seats)
	}
	if b.seats[channel] == nil {
		b.seats[channel] = make(map[*memoryLink]int)
	}
	b.seats[channel][l]++
	return taken, true
}

// leaveSeat counts one less.
func (l *memoryLink) leaveSeat(channel Target) {
	b := l.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.seats[channel]
	if of == nil {
		return // the node has left
	}
	if of[l]--; of[l] <= 0 {
		delete(of, l)
	}
	if len(of) == 0 {
		delete(b.seats, channel)
	}
}

// leaveSeatsLocked counts the subscribers of a node out that leaves.
func (l *memoryLink) leaveSeatsLocked() {
	for channel, of := range l.broker.seats {
		if delete(of, l); len(of) == 0 {
			delete(l.broker.seats, channel)
		}
	}
}
