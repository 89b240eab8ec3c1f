package push

import (
	"time"
	"unsafe"
)

// Arrivals is how many logins other nodes have not been told.
func (h *Hub[C]) Arrivals() int { return len(h.unannounced) }

// StartHistory begins the history of a Memory anew, by a clock of the test's.
func (b *Memory) StartHistory(bytes int, now func() time.Time) {
	b.history = newRings(bytes)
	b.history.began, b.history.now = now(), now
}

// HistoryBytes is what a Memory counts for its history.
func (b *Memory) HistoryBytes() int { return b.history.bytes }

// GapSince is what ParsePosition's positions are judged by.
func GapSince(since, oldest, top Position) Gap { return gapSince(since, oldest, top) }

// Alone is the Broker of a Hub that has none.
func Alone() Broker { return localBroker{} }

// MemberSize is how many bytes a Member takes.
func MemberSize[C Conn]() uintptr { return unsafe.Sizeof(Member[C]{}) }

// Pause is how much older a history is than when it was saved, by the difference of two clocks.
func Pause(d time.Duration) time.Duration { return pause(d.Nanoseconds()) }
