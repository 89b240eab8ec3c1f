// Package lineman serves long-lived connections: lines of text, length-prefixed frames, raw TCP, HTTP, WebSocket, UDP
// and Unix sockets, on event loops whose callbacks share plain variables without a lock.
//
// A [Worker] describes a service: where it listens, what it speaks, what it does. [Run] runs it on a [Loop]. This
// program passes what one peer says on to all:
//
//	package main
//
//	import (
//		"context"
//		"log"
//		"os"
//		"os/signal"
//
//		"github.com/lineman-go/lineman"
//	)
//
//	func main() {
//		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
//		defer stop()
//
//		lines := 0 // no lock: all callbacks of a loop run one at a time
//		room := &lineman.Worker{Addr: "text://127.0.0.1:2015"}
//		room.OnMessage = func(c *lineman.Conn, line []byte) {
//			lines++
//			c.Loop().Broadcast(c.Loop().Conns(room), line)
//		}
//		room.OnClose = func(c *lineman.Conn, err error) {
//			log.Printf("connection %d ended: %v; %d lines so far", c.ID(), err, lines)
//		}
//		if err := lineman.Run(ctx, room); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// # Loops and goroutines
//
// All callbacks of a loop, of every listener and timer on it, run one at a time and never nest: what a callback causes,
// such as OnClose after Close, happens after it has returned. [Loop.Listen] adds a listener to a running loop, and that
// is how two services share variables; each worker given to Run has a loop of its own and shares nothing.
//
// A callback must not block, because every connection of its loop waits for it. Slow work goes to a goroutine and comes
// back with [Conn.Do] or [Loop.Do]. A callback that holds the loop longer than 100 ms is counted and named in the log.
//
// From any goroutine, returning at once: Send, SendBinary, SendTyped, Write, Respond, Ping, Close, CloseWith, Abort,
// Do, Connected, Pending, ID, Context, LocalAddr, RemoteAddr, RemoteAddrPort and Stats of a [Conn], and Do, Context,
// ID and Index of a [Loop].
// Everything else is for the loop only, that is for callbacks, timers and functions given to Do.
//
// A message given to a callback is on loan: it is valid until the callback returns, because the next message uses the
// same memory. So are an HTTP request and the Conn of a datagram. Copy what you keep. Send copies what it is given.
//
// A panic in a callback is recovered, logged with its stack, and ends the connection; in a timer or in Do it is logged;
// in OnStart it is a failed start.
//
// # Sending
//
// Send encodes the message into the connection's output and returns; the loop writes at the end of its tick, or Send
// itself once 64 KiB have gathered. Nothing is queued without a bound: when [Limits].MaxPending bytes wait that the
// kernel has refused, OnFull runs and Send refuses whole messages with [ErrFull] until half of them have gone; OnDrain
// runs when all have. A peer that does not read therefore never holds up the others.
//
// # Limits
//
// Every size and time has a default and an error of its own; see [Limits]. A message above MaxMessage (10 MiB) is
// [ErrTooLarge]; a handshake, a message or a closing that does not come to its end in time is [ErrTimeout]; silence, if
// it is limited, is [ErrIdle].
//
// # Errors
//
// Errors begin with the name of their package and say what to do where that helps. OnClose tells why a connection
// ended: nil for this side, [io.EOF] for the peer's end, others as its documentation lists them. A peer that broke its
// protocol is a [*ProtocolError], the goodbye of a WebSocket a [*websocket.CloseError]. An address that is taken
// matches [syscall.EADDRINUSE]:
//
//	lineman: listen on text://127.0.0.1:2015: address already in use:
//	stop the program that has it, or listen on another address
//
// # Protocols
//
// The scheme of an address names its protocol. For a protocol of your own, set Worker.Protocol to
// a [protocol.Protocol]: its codec has two methods, Decode and Append. Package linemantest tests it with every way in
// which its bytes can arrive.
package lineman
