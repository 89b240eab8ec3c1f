// Package channel carries requests, their answers and descriptors between a master and one of its worker processes.
package channel

import "time"

// Version is of the messages below. A master refuses a program whose version is another.
const Version = 1

// An Op names a request.
type Op string

// What a master asks of a worker process. Each is answered.
const (
	Hello   Op = "hello"   // Assignment; the answer is a Description
	Prepare Op = "prepare" // run OnPrepare; nothing is served yet
	Start   Op = "start"   // listen, run OnStart, serve
	Freeze  Op = "freeze"  // accept and read nothing, until Resume or Leave
	Resume  Op = "resume"
	Leave   Op = "leave"  // Farewell: another process takes over
	Stop    Op = "stop"   // Farewell: the program ends
	Reload  Op = "reload" // run OnReload, and stay
	Beat    Op = "beat"   // Patience; the answer is a Pulse
	List    Op = "list"   // Page; the answer is a Conns
	Log     Op = "log"    // write to the descriptor that comes along
	Adopt   Op = "adopt"  // Loan: accept from a sibling's socket too, whose descriptor comes along
	Return  Op = "return" // Loan: no longer
)

// What a worker process asks of its master.
const (
	Listen  Op = "listen"  // Address; the answer brings a descriptor
	Release Op = "release" // Address: the listener was closed by the application
	Recycle Op = "recycle" // replace me
)

// Assignment tells a process which one it is.
type Assignment struct {
	Worker int    `json:"worker"` // index among the program's workers
	Name   string `json:"name"`
	ID     int    `json:"id"`
	Shared bool   `json:"shared"` // siblings accept from the same sockets
	Daemon bool   `json:"daemon"` // the standard output is the log
}

// Description is what a program says of itself, so that its master can tell whether it fits.
type Description struct {
	Version int      `json:"version"`
	Workers []Worker `json:"workers"`
}

// Worker is what a master has to know of a worker.
type Worker struct {
	Name      string `json:"name"`
	Addr      string `json:"addr"` // as the program has it
	Count     int    `json:"count"`
	ReusePort bool   `json:"reuse_port"`
	User      string `json:"user,omitempty"`
	NoReload  bool   `json:"no_reload"`
}

// Address is what to listen on.
type Address struct {
	Worker    string `json:"worker"`
	Outer     bool   `json:"outer"` // it is the address of the process's own worker
	Scheme    string `json:"scheme"`
	Network   string `json:"network"`
	Target    string `json:"target"`
	ReusePort bool   `json:"reuse_port"`
	Mode      uint32 `json:"mode,omitempty"`
	Owner     string `json:"owner,omitempty"`
}

// Farewell says how to end.
type Farewell struct {
	Within  time.Duration `json:"within"`  // then the process is killed
	Patient bool          `json:"patient"` // wait until the connections end by themselves
}

// Patience is how long a Pulse waits for the loop.
type Patience struct {
	Wait time.Duration `json:"wait"`
}

// Pulse is how a process is.
type Pulse struct {
	Busy     time.Duration `json:"busy"` // how long the loop has not come round; 0 when it answered
	Callback string        `json:"callback,omitempty"`
	Stats    Stats         `json:"stats"` // as they were when it last came round
}

// Stats are the counters of a process.
type Stats struct {
	Conns     int        `json:"conns"`
	Outgoing  int        `json:"outgoing"` // those of Conns that were dialed
	Accepted  uint64     `json:"accepted"`
	Messages  uint64     `json:"messages"`
	Refused   uint64     `json:"refused"`
	Panics    uint64     `json:"panics"`
	Slow      uint64     `json:"slow"`
	Timers    int        `json:"timers"`
	Listeners []Listener `json:"listeners"`
}

// Listener is an open listening or datagram socket.
type Listener struct {
	Worker string `json:"worker"`
	Addr   string `json:"addr"` // the scheme, and where it really is
	Conns  int    `json:"conns"`
}

// Page asks for some connections: those from a place on.
type Page struct {
	From int `json:"from"`
}

// Conns are connections of a process.
type Conns struct {
	Conns []Conn `json:"conns"`
	Next  int    `json:"next"` // where the next Page begins; 0 after the last
}

// Conn is one connection, as operators see it.
type Conn struct {
	ID       uint64 `json:"id"`
	Worker   string `json:"worker"`
	Protocol string `json:"protocol"`
	TLS      bool   `json:"tls"`
	Dialed   bool   `json:"dialed"`
	State    string `json:"state"`
	Unread   int    `json:"unread"` // received, and half a message yet
	Pending  int    `json:"pending"`
	BytesIn  uint64 `json:"bytes_in"`
	BytesOut uint64 `json:"bytes_out"`
	Local    string `json:"local"`
	Remote   string `json:"remote"`
}

// Loan is a socket that a process takes care of while its sibling is away.
type Loan struct {
	Sibling int    `json:"sibling"`
	Worker  string `json:"worker"`
}
