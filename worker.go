package lineman

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/frame"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/text"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// A Worker describes one service: where it listens, what it speaks, what it does. It is a description, not a running
// thing: the same Worker may be run by several loops, and by each again after it was closed. Its fields must not
// change once a loop knows it.
type Worker struct {
	// Name appears in logs and status and is what a loop knows the worker by. Empty means Addr.
	Name string

	// Addr is scheme://host:port, or scheme://path for a Unix socket. The scheme is the protocol:
	//
	//	tcp text frame http websocket   over TCP
	//	unix                            raw bytes over a Unix stream socket
	//	udp                             datagrams
	//	text+unix http+unix text+udp …  a protocol over another transport
	//
	// Port 0 takes a free one: Listener.Addr tells which. A host that is an IPv4 address, such as 0.0.0.0, means IPv4
	// alone; [::] and no host at all mean all addresses of both families. Empty means no listener: a worker for timers,
	// or one that connections come to by SetWorker.
	Addr string

	// Count is the number of processes under a Master; 0 means 1, and a negative number is an error. Run accepts no
	// other than 1; for a worker that a loop opens with Listen it means nothing.
	Count int

	// Loops is how many event loops each process of the worker runs; 0 means 1, and a negative number is an error. More
	// than one need PerLoop, and are for streams. Connections go to the loop that has the fewest. The loops of a
	// process start and end together; OnPrepare and OnStart run for one after the other. A worker that a loop opens
	// with Listen has none.
	Loops int

	// PerLoop completes the worker of a loop: it is given a copy of this one for each loop, to set what happens there,
	// so that no two loops share a variable of its callbacks by accident. It runs before OnPrepare, for one loop after
	// the other; the copy is what Conns, Listener and SetWorker know the worker by there. It leaves Name, Addr, and all
	// that is about processes and sockets, as it is. With PerLoop, callbacks stay nil outside it; a Handler may be set,
	// which runs beside the loops in any case. nil: the one loop runs this worker.
	PerLoop func(w *Worker)

	// User runs the processes of the worker as "user" or "user:group", by name or number; only root may say so. Sockets
	// are opened before, by the master. It means nothing under Run. Empty means who started the program.
	User string

	// NoReload keeps the processes of the worker in a reload: only OnReload is called.
	NoReload bool

	// ReusePort gives each process a listening socket of its own (SO_REUSEPORT), and the kernel shares connections out.
	// Without it the processes of a worker take turns on one socket.
	ReusePort bool

	Mode  fs.FileMode // permissions of a Unix socket's file; 0 leaves what the umask gives
	Owner string      // "user" or "user:group" of a Unix socket's file; "" leaves the process's own

	// TLS puts TLS below the protocol of a stream, so that https and wss are served. It needs a certificate;
	// Certificate reads one from files. HTTP and WebSocket offer http/1.1 only by ALPN. The handshake runs beside the
	// loop, within Limits.Handshake; OnConnect comes after it. nil means none.
	TLS *tls.Config

	// Protocol replaces what the scheme names: one of your own, or one with options, such as
	// &websocket.Protocol{Origins: …}. nil means the scheme's with its defaults.
	Protocol protocol.Protocol

	// Handler answers the requests of an http worker, in place of OnRequest: any router or middleware for net/http. It
	// runs on a goroutine for each request in progress, never on the loop: what it shares with callbacks it reaches by
	// Loop.Do. Bodies of any length stream in both directions; Flush, Hijack, trailers and http.ResponseController
	// work. See Upgrade for WebSockets.
	Handler http.Handler

	// Proxies are the proxies in front of this worker: addresses and prefixes, such as "10.0.0.1" and "10.0.0.0/8", and
	// "unix" for those that come by a Unix socket. Only they are believed about who the client is: RemoteAddr, of a
	// Conn and of a handler's request, is then what X-Forwarded-For says, read from its right end up to the first
	// address that is no proxy's, without a port. Nobody else's word counts.
	Proxies []string

	// ProxyProtocol has every connection from one of Proxies begin with a PROXY header, version 1 or 2, before TLS; one
	// without it is refused. A header from anybody else is not looked for.
	ProxyProtocol bool

	Limits Limits       // sizes and times; the zero value is safe
	Logger *slog.Logger // nil means slog.Default()
	Events              // what happens on connections

	// OnStart runs on the loop once, before the first connection is accepted: the place for Listen, Every, and what
	// the callbacks share. An error is a failed start. It is not called for a worker that was opened by Listen.
	OnStart func(l *Loop) error

	// OnPrepare runs before OnStart and, in a reload, while the predecessor still serves: the place for what takes
	// long, such as filling a cache. The predecessor stands still from its end to that of OnStart. An error is a failed
	// start.
	OnPrepare func(l *Loop) error

	// OnReload runs on the loop when the program is reloaded: in a process that is succeeded by another, before it lets
	// its connections go, and in one that stays, under NoReload. The place to stop what must not run twice, or to read
	// files again.
	OnReload func(l *Loop)

	// Save and Restore have the connections of the worker cross to the successor of the process, in a reload, instead
	// of ending. Both or neither are set; a worker opened by Listen may have them too. What must be alike on both sides
	// is the Name, and that both speak the same protocol.
	//
	// Save runs on the loop, for each connection that can cross, after SaveState, while the loop stands still: no other
	// callback runs until the handover is over. It returns what the value of the connection is as bytes, which are
	// used before the next call. It must not give anything up, as the connection may stay after all. An error has it
	// stay, and is the reason that the operator is told. In the predecessor neither OnClosing, OnClose nor OnGone runs
	// for a connection that has crossed: Send gives net.ErrClosed, its Context is cancelled, and its timers, which do
	// not cross, are stopped. What goroutines send while it crosses goes with it.
	Save func(c *Conn) ([]byte, error)

	// Restore runs in the successor in place of OnAccept and OnConnect, for each connection, before the loop serves. It
	// makes of the bytes, which are on loan until it returns, the value again. The connection has the ID that it had,
	// and may be used as in a callback: what is sent goes out behind what waited to be sent already. An error, or a
	// panic, has the connection stay with the predecessor: nothing more is called for it here. If something happens to
	// a connection in the predecessor after Save, such as a Close by a goroutine, it stays there too, and here OnClose
	// has net.ErrClosed. A WebSocket whose handshake is under way, as Connected tells, has OnConnect after that.
	Restore func(c *Conn, value []byte) error

	// SaveState or SaveParts, and RestoreState, have the state of a loop cross, beside that of its connections. One of
	// the first two is set with the last, or none is. They mean nothing for a worker that was opened by Listen.
	//
	// SaveState runs on each loop of the predecessor, before any Save. It must not give anything up: the handover may
	// fail, and the predecessor go on. An error ends the handover, and the reload with it.
	SaveState func(l *Loop) ([]byte, error)

	// SaveParts is SaveState for much: it gives send one part after the other, each on loan until that returns.
	// RestoreState gets each of them, in this order, while the next are still made: so the pause is shorter, and the
	// state need not be in memory as a whole. A part of about 256 KiB is best. An error of send ends the handover:
	// return it.
	SaveParts func(l *Loop, send func(part []byte) error) error

	// RestoreState runs in the successor once for each loop of the predecessor, or for each part, after OnStart of all
	// loops and before any Restore: on the loop with that Index, modulo the number of loops here. state is on loan
	// until it returns. An error ends the handover, and the reload with it.
	RestoreState func(l *Loop, state []byte) error

	// OnHandover runs on each loop of the predecessor, once the successor has taken over for good, before OnReload,
	// what waits by Do, and what connections that stay have sent: those that have crossed are here no more. It is the
	// place to close what the successor opens now, and to stop what it goes on with.
	OnHandover func(l *Loop)

	// Report returns what status --json shows of the application, as JSON, beside what the framework knows of the
	// process. It runs each second under a Master, on the loop with Index 0, so it should be quick. nil shows nothing.
	Report func(l *Loop) any

	// OnStop runs on the loop once, when it begins to stop: listeners and connections are still open. Workers opened
	// by Listen are told before the one that opened them.
	OnStop func(l *Loop)
}

// Events are the callbacks of connections. All of a loop run on that loop, one at a time, and never nest: what a
// callback causes, such as OnClose after Close, happens after it has returned. A nil callback is skipped. A callback
// must not block; slow work goes to a goroutine and comes back by Conn.Do.
//
// Messages and requests are on loan until the callback returns: copy what is kept.
type Events struct {
	// OnAccept decides about each connection that is accepted, before its first byte is read and before TLS, but after
	// its PROXY header if one comes first: the place to bound connections by address. RemoteAddr is the peer's, or what
	// the PROXY header says; what X-Forwarded-For says comes later, with a request. An error resets the connection:
	// nothing is called for it any more. Of the Conn, ID, the addresses and SetValue are of use here, and Abort. Not
	// for connections of Loop.Dial, and not for datagrams.
	OnAccept func(c *Conn) error

	// OnGone runs exactly once for each connection that OnAccept has let in, whether it came to OnConnect or not: last
	// of all, after OnClose, when its socket is closed, or has been taken by Hijack. It is that of the worker that
	// accepted the connection, also after SetWorker. ID, RemoteAddr and Value still answer.
	OnGone func(c *Conn)

	// OnConnect runs once a connection is ready for messages: after the handshake of WebSocket, at once elsewhere.
	OnConnect func(c *Conn)

	// OnMessage gets each message in order of arrival. On an http worker without OnRequest it gets the body of each
	// request, and Send answers it.
	OnMessage func(c *Conn, msg []byte)

	// OnInvalid gets the error of a message that the protocol refused while its stream is still in step, such as a
	// line that was too long. The connection goes on. nil: the connection ends with that error.
	OnInvalid func(c *Conn, err error)

	// OnHead decides about a request for OnRequest or OnMessage when its head has come, before its body is waited for:
	// who may ask, and whether its path takes one. An error refuses it: *RefuseError with its status, any other with
	// 403. The body is not read then, and the connection closes behind the answer. Without an error a sender that waits
	// for it is told to go on (Expect: 100-continue). It runs once for each request that can be understood, also for
	// one without a body; it does not answer by itself. A request of a websocket worker that has no OnRequest, or asks
	// for a WebSocket, is OnUpgrade's, and has no body.
	OnHead func(c *Conn, r *http1.Request) error

	// OnRequest gets each HTTP request, whole. It is answered by Conn.Respond or Conn.Send, now or, from any goroutine,
	// later; the next request of the connection waits until then. On a websocket worker it gets the requests that do
	// not ask for a WebSocket.
	OnRequest func(c *Conn, r *http1.Request)

	// OnUpgrade decides about a WebSocket handshake that is right in itself. An error refuses it: *RefuseError with
	// its status, any other with 403. Conn.Accept adds fields to the answer, and chooses the subprotocol.
	OnUpgrade func(c *Conn, r *http1.Request) error

	// OnRefuse tells of a handshake that is refused before OnUpgrade is asked, for its form or its origin. The answer
	// says why.
	OnRefuse func(c *Conn, r *http1.Request, why *websocket.HandshakeError)

	// OnPong gets the payload of a pong from a WebSocket's peer. It is that of a Ping, empty for the pings of
	// websocket.Protocol's PingInterval, or what a peer sends without a ping.
	OnPong func(c *Conn, payload []byte)

	// OnFull runs when what the kernel has refused reaches Limits.MaxPending. From then on Send returns ErrFull, until
	// half of it is free again. Stop sending here. The message that reached the limit was accepted.
	OnFull func(c *Conn)

	// OnDrain runs when, after OnFull, everything has been handed to the kernel.
	OnDrain func(c *Conn)

	// OnRelayEnd runs when the process that has the keys of the connection, and relays it since a reload, has to end:
	// as there are more than Master.RelayProcesses of them, or RelayTimeout is over. It is the place to say goodbye in
	// the application's own way, within Limits.Drain: then the peer is told 1001, and the connection ends.
	OnRelayEnd func(c *Conn)

	// OnClosing runs once after OnConnect, as soon as nothing more can be sent to the connection, whatever ends it:
	// Send returns net.ErrClosed from now on. Use it to remove the connection from your lists of who is there. OnClose
	// follows when the goodbyes are over, within Limits.Close. After OnClosing come only messages that a broken
	// connection had received before it broke, and OnDrain if OnFull had come: what was queued is gone.
	OnClosing func(c *Conn)

	// OnClose runs exactly once after OnConnect, last of all but OnGone. The connection has closed; its ID, addresses
	// and Value still answer. The error says why:
	//
	//	nil                     this side closed it
	//	io.EOF                  the peer ended its stream, and what it had sent was handled
	//	io.ErrUnexpectedEOF     it did so without a goodbye of its TLS: somebody else may have cut it
	//	*websocket.CloseError   the peer said goodbye with this code and reason
	//	*websocket.AnswerError  the server that was dialed did not make it a WebSocket; wrapped
	//	ErrTooLarge             it sent too large a message
	//	ErrIdle, ErrTimeout     a limit of time
	//	ErrPanic                a callback panicked
	//	*ProtocolError          it broke the protocol
	//	other                   the system's, such as syscall.ECONNRESET
	OnClose func(c *Conn, err error)
}

// Limits bound what one connection can take. A zero field means the default given with it. For times but Drain a
// negative value means no limit; for sizes and Handshakes it is an error at start. Times are kept to a tenth of a
// second.
type Limits struct {
	MaxMessage int // largest message accepted, bytes; 0 means 10 MiB

	// MaxPending is how much of what was sent may wait for a peer that does not read, in bytes; 0 means 1 MiB. It is
	// passed by one message at the most. What the kernel has taken does not count.
	MaxPending int

	// Handshakes is how many handshakes of TLS a loop has under way for the worker at a time; 0 means 256. Further
	// connections wait, unread, within Handshake; while any does, a handshake may take no longer than 2 s.
	Handshakes int

	// Handshake is from connecting to the end of the handshakes, of TLS and of WebSocket; 0 means 10 s. A further
	// request to a websocket worker has as long from its first byte to its last.
	Handshake time.Duration

	// KeepAlive is how long an HTTP connection may be without a request, on a websocket worker without a further one; 0
	// means 75 s.
	KeepAlive time.Duration

	Message  time.Duration // from a message's first byte to its last; 0 means 60 s
	Answer   time.Duration // from an HTTP request to its answer, which is 503 then; 0 means 60 s
	Idle     time.Duration // a connection that sends nothing; 0 means for ever
	Close    time.Duration // flushing, the closing handshake and the peer's end of stream after Close; 0 means 5 s
	Shutdown time.Duration // all of that when the loop stops, whatever the number of connections; 0 means 10 s

	// Unacknowledged is how long a TCP peer may leave unacknowledged what was sent, be it that it has vanished without
	// a word or that it does not read: then the connection fails. Where the protocol has no answer to that, sending
	// something now and then finds out who is no longer there. On Linux only; 0 means as the system does, which takes
	// minutes. It counts for accepted connections and those that SetWorker brings.
	Unacknowledged time.Duration

	// Drain is how long the connections of the worker, and the listeners of its loop, stay after OnStop, and after
	// OnReload in a process that is succeeded by another: time for the application to end them one by one. It is over
	// when they have gone. 0 or less: none, all are told goodbye at once. A Master leaves room for it,
	// unless its StopTimeout and ReloadTimeout are set.
	Drain time.Duration
}

// name is what the worker is known by.
func (w *Worker) name() string { return cmp.Or(w.Name, w.Addr) }

func (l Limits) withDefaults() Limits {
	size := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	size(&l.MaxMessage, 10<<20)
	size(&l.MaxPending, 1<<20)
	size(&l.Handshakes, 256)
	span(&l.Handshake, 10*time.Second)
	span(&l.Message, time.Minute)
	span(&l.Answer, time.Minute)
	span(&l.KeepAlive, 75*time.Second)
	span(&l.Idle, -1)
	span(&l.Close, 5*time.Second)
	span(&l.Shutdown, 10*time.Second)
	return l
}

// address is a Worker's Addr taken apart.
type address struct {
	scheme   string
	protocol protocol.Protocol // what the scheme names; nil for raw bytes
	network  string            // tcp, unix or udp; empty without a listener
	target   string            // host:port or path
}

const schemes = "tcp, udp, unix, text, frame, http, websocket, or one of the last four with +unix, " +
	"of text and frame with +udp"

func parseAddress(addr string) (address, error) {
	if addr == "" {
		return address{}, nil
	}
	scheme, target, ok := strings.Cut(addr, "://")
	if !ok {
		return address{}, fmt.Errorf("lineman: address %q: want scheme://host:port; schemes are %s", addr, schemes)
	}
	a := address{scheme: scheme, target: target}
	name, transport, _ := strings.Cut(scheme, "+")
	switch name {
	case "tcp", "udp", "unix":
		if transport != "" {
			return address{}, fmt.Errorf("lineman: address %q: %s takes no transport; schemes are %s",
				addr, name, schemes)
		}
		transport = name
	case "text":
		a.protocol = text.Protocol{}
	case "frame":
		a.protocol = frame.Protocol{}
	case "http":
		a.protocol = &http1.Protocol{}
	case "websocket":
		a.protocol = &websocket.Protocol{}
	default:
		return address{}, fmt.Errorf("lineman: address %q: unknown scheme %q; schemes are %s", addr, name, schemes)
	}
	if transport == "" {
		transport = "tcp"
	}
	if !slices.Contains([]string{"tcp", "unix", "udp"}, transport) {
		return address{}, fmt.Errorf("lineman: address %q: unknown transport %q; schemes are %s",
			addr, transport, schemes)
	}
	a.network = transport
	return a, a.check(addr)
}

func (a address) check(addr string) error {
	if a.network == "unix" {
		if a.target == "" {
			return fmt.Errorf("lineman: address %q: want a path after ://", addr)
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(a.target); err != nil {
		return fmt.Errorf("lineman: address %q: want host:port after ://: %w", addr, err)
	}
	return nil
}
