//go:build unix

package master

import (
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// Saved is a Supervisor at rest, in a form that another program reads: what the Supervisor that goes on in its place
// needs. Descriptors are numbers; they stay the same across exec.
type Saved struct {
	Images    []int          `json:"images"` // descriptors of the programs that processes are started from
	Slots     []SavedSlot    `json:"slots"`
	Processes []SavedProcess `json:"processes"`
	Sockets   []SavedSocket  `json:"sockets"`
	Exits     []ExitCount    `json:"exits,omitempty"`
	Launched  int            `json:"launched"` // processes ever
	Opened    int            `json:"opened"`   // sockets ever
}

// SavedSlot is a slot. Processes are told by their numbers; 0 is none.
type SavedSlot struct {
	Worker int `json:"worker"` // its index
	ID     int `json:"id"`
	Image  int `json:"image"`             // index in Images
	Serves int `json:"serves,omitempty"`  // who serves it; 0 while it is vacant
	LentTo int `json:"lent_to,omitempty"` // who accepts for it meanwhile
}

// SavedProcess is a process that has not ended, or whose end nobody was told of.
type SavedProcess struct {
	Number  int                 `json:"number"`
	Worker  int                 `json:"worker"` // index
	ID      int                 `json:"id"`
	PID     int                 `json:"pid"`
	Began   uint64              `json:"began"` // as the system counts: with the pid it is known for sure
	Born    time.Time           `json:"born"`
	Ready   int64               `json:"ready,omitempty"` // when it began to serve, Unix nanoseconds
	Spent   bool                `json:"spent,omitempty"`
	Leaving *SavedLeaving       `json:"leaving,omitempty"` // nil while it serves
	About   channel.Description `json:"about"`
	Relays  int64               `json:"relays,omitempty"`
	Told    uint64              `json:"told,omitempty"`    // messages, by its last heartbeat
	Channel *channel.Suspended  `json:"channel,omitempty"` // nil if it has closed that: it ends
	Ended   *Status             `json:"ended,omitempty"`
}

// SavedLeaving is since when a process leaves, and within which time it is to end; negative means any.
type SavedLeaving struct {
	Since  time.Time     `json:"since"`
	Spent  time.Duration `json:"spent,omitempty"` // since then, whatever the clock was set to meanwhile
	Within time.Duration `json:"within"`
}

// saved is l as it crosses.
func (l *SavedLeaving) saved() *SavedLeaving {
	if l == nil {
		return nil
	}
	return &SavedLeaving{Since: l.Since, Spent: time.Since(l.Since), Within: l.Within}
}

// restored is l as it has crossed.
func (l *SavedLeaving) restored() *SavedLeaving {
	if l == nil || l.Spent == 0 { // by an older Lineman
		return l
	}
	return &SavedLeaving{Since: time.Now().Add(-l.Spent), Within: l.Within}
}

// SavedSocket is an open socket, with what processes find it by.
type SavedSocket struct {
	FD       int             `json:"fd"`
	Path     string          `json:"path,omitempty"` // of a Unix socket's file
	Number   int             `json:"number"`
	Worker   int             `json:"worker"` // index of the worker of its processes
	ID       int             `json:"id"`     // of its process; -1: all of the worker
	Address  channel.Address `json:"address"`
	Users    []int           `json:"users,omitempty"`    // numbers of processes
	Released []int           `json:"released,omitempty"` // ids of those that have closed it
}

// Files are the descriptors that have to stay open across exec.
func (s *Saved) Files() []int {
	files := append([]int(nil), s.Images...)
	for _, p := range s.Processes {
		if p.Channel != nil {
			files = append(append(files, p.Channel.FD), p.Channel.Files...)
		}
	}
	for _, sk := range s.Sockets {
		files = append(files, sk.FD)
	}
	return files
}
