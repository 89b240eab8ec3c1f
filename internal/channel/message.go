// Package channel carries requests, their answers and descriptors between a master and one of its worker processes.
package channel

import (
	"encoding/json"
	"time"
)

// Version is of the messages below. A master refuses a program whose version is another.
const Version = 2

// An Op names a request.
type Op string

// What a master asks of a worker process. Each is answered.
const (
	Hello   Op = "hello"   // Assignment; the answer is a Description
	Prepare Op = "prepare" // Prospect: run OnPrepare; nothing is served yet
	Start   Op = "start"   // listen, run OnStart, serve; with a descriptor, take what a predecessor hands over by it
	Lend    Op = "lend"    // Lending: lend connections by the descriptor, and serve on
	Borrow  Op = "borrow"  // Lending: take what a predecessor lends by the descriptor, before Start
	Freeze  Op = "freeze"  // accept and read nothing, until Resume or Leave
	Hand    Op = "hand"    // Transfer: while frozen, hand connections over by the descriptor; the answer is a Handed
	Resume  Op = "resume"
	Leave   Op = "leave"  // Shutdown: another process takes over
	Part    Op = "part"   // Parting: end the connections that another process relays
	Stop    Op = "stop"   // Shutdown: the program ends
	Reload  Op = "reload" // run OnReload, and stay
	Beat    Op = "beat"   // Probe; the answer is a Heartbeat
	List    Op = "list"   // Page; the answer is a Conns
	Log     Op = "log"    // write to the descriptor that comes along
	Adopt   Op = "adopt"  // Loan: accept from a sibling's socket too, whose descriptor comes along
	Return  Op = "return" // Loan: no longer
	Check   Op = "check"  // whether a master of this program can go on from the state in the descriptor
	Hold    Op = "hold"   // Holding: hold the signals of the master until the descriptor's other end is closed
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
	Version  int      `json:"version"`
	Workers  []Worker `json:"workers"`
	Handover int      `json:"handover,omitempty"` // version of the transfer that this process speaks; 0: none
	Master   int      `json:"master,omitempty"`   // version of a master's state that this program reads; 0: none
	Program  string   `json:"program,omitempty"`  // version of the program, for people
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

// Prospect is what a process will have. A master of before says nothing of it.
type Prospect struct {
	Conns int `json:"conns,omitempty"` // connections of its predecessor, about
}

// Lending is how long the descriptors of connections may take to cross before a Hand. Then there are no loans.
type Lending struct {
	Within time.Duration `json:"within"`
}

// Transfer is how long a predecessor waits for its successor to start. Then it gives up, and answers with an error.
type Transfer struct {
	Within time.Duration `json:"within"`
}

// Started is what a process has taken over from its predecessor. The answer to a Start without a descriptor is zero.
type Started struct {
	Kept   int     `json:"kept"` // connections
	Pauses []Pause `json:"pauses,omitempty"`
}

// Pause is how long the connections of one loop were not served: from when the loop of the predecessor stood still
// until that of the successor ran, by the monotonic clock that all processes of a machine share.
type Pause struct {
	Conns int           `json:"conns"`
	Time  time.Duration `json:"time"`
}

// Handed is what became of the connections of a predecessor. An error in its place means that it has all of them still.
type Handed struct {
	Crossed int            `json:"crossed"`
	Stayed  map[string]int `json:"stayed,omitempty"` // how many, by reason
	Relays  int            `json:"relays,omitempty"` // of those that crossed, and need this process
}

// Shutdown is how a process is to end: gracefully, within a time.
type Shutdown struct {
	Within  time.Duration `json:"within"`  // then the process is killed
	Patient bool          `json:"patient"` // wait until the connections end by themselves
}

// Parting names a process by its pid that relays, and has to end within a time.
type Parting struct {
	Relay  int           `json:"relay"`
	Within time.Duration `json:"within"`
}

// Holding is how long signals are held at most.
type Holding struct {
	Within time.Duration `json:"within"`
}

// Probe asks for a Heartbeat. Wait is how long that waits for the loop.
type Probe struct {
	Wait time.Duration `json:"wait"`
}

// Heartbeat is the health of a process, and its status.
type Heartbeat struct {
	Busy     time.Duration   `json:"busy"` // how long the loop has not come round; 0 when it answered
	Callback string          `json:"callback,omitempty"`
	Traffic                  // ever, for rates
	Conns    int             `json:"conns,omitempty"`
	Relays   int             `json:"relays,omitempty"` // connections of the successor that need this process
	Status   json.RawMessage `json:"status,omitempty"` // for operators; as it was when the loop last came round
}

// Traffic is what a process has read and written.
type Traffic struct {
	Messages    uint64 `json:"messages"` // that came
	MessagesOut uint64 `json:"messages_out,omitempty"`
	BytesIn     uint64 `json:"bytes_in,omitempty"`
	BytesOut    uint64 `json:"bytes_out,omitempty"`
}

// Page asks for some connections: those from a place on.
type Page struct {
	From int `json:"from"`
}

// Conns are connections of a process.
type Conns struct {
	Conns json.RawMessage `json:"conns"` // for operators
	Next  int             `json:"next"`  // where the next Page begins; 0 after the last
}

// Loan is a socket that a process takes care of while its sibling is away.
type Loan struct {
	Sibling int    `json:"sibling"`
	Worker  string `json:"worker"`
}
