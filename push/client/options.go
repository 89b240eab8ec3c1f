package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/lineman-go/lineman/push/level1"
)

// Options are what a Client needs beside the address. The zero value is ready, for a server that finds the credential
// in the address or in Header. Handler, Up and Down are called one at a time, in the order in which things happened.
type Options struct {
	// Token makes the credential, for each connection, and before the last one expires. If it fails, the client tries
	// again later. ctx ends with the Client. nil: there is none.
	Token func(ctx context.Context) (string, error)

	// Handler is told what comes by targets that no Subscription is of: the uid and the groups of the connection, the
	// connection itself, "*", and channels that a back end has subscribed it to. Of "*" and of the connection there is
	// no history: a reconnect is told as a gap of "*".
	Handler Handler

	// Up is told when a connection is there, and Down when it has ended, or could not be made, and why. After a Down
	// the client tries again, unless Client.Done is closed. nil: nobody is told.
	Up   func(level1.Welcome)
	Down func(error)

	// Header is further fields of the handshake.
	Header http.Header

	// TLS is for wss. nil: that of package crypto/tls.
	TLS *tls.Config

	// Dial connects, for a proxy. nil: that of a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxMessage is how many bytes a text of the server may have; 0 means 16 MiB. A longer one ends the connection.
	MaxMessage int
}

// Handler is what is told of a target. It is called on the client's goroutine, one call at a time for all of a Client,
// and may call every method of it. What is given is the handler's own; Data must not be changed. nil: nobody is told.
type Handler struct {
	// Began is told that the server has begun the target, on each connection anew. What Joined and Left would have told
	// meanwhile was missed: Client.Presence has it. If there is a Gap, it is told next.
	Began func(level1.Subscribed)

	// Message is told what is published. Subscription.Position goes on when it has returned.
	Message func(level1.Message)

	// Gap is told that something was missed which cannot be had any more: the state has to be loaded anew. What comes
	// next comes after Missed.Position. A target without history has a gap with each reconnect.
	Gap func(level1.Missed)

	// Joined and Left are told who comes to a channel and who goes, where its namespace says so.
	Joined func(level1.Joined)
	Left   func(level1.Left)

	// Present is told who is in a channel, in place of what is known by Client.Presence and the changes since: the
	// server could not follow for a while, or they are too many now.
	Present func(level1.Presence)

	// Ended is told that the target is no longer followed, and why: a level1.Failure, or ErrUnsubscribed. After
	// Unsubscribe, and when the Client ends, it is not called. A group that the connection is put into again after a
	// reconnect goes on where it was.
	Ended func(level1.Unsubscribed, error)
}

const defaultMaxMessage = 16 << 20

// withDefaults are the options with what was left out.
func (o Options) withDefaults() Options {
	if o.Dial == nil {
		var d net.Dialer
		o.Dial = d.DialContext
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = defaultMaxMessage
	}
	if o.Up == nil {
		o.Up = func(level1.Welcome) {}
	}
	if o.Down == nil {
		o.Down = func(error) {}
	}
	o.Handler = o.Handler.withDefaults()
	return o
}

func (h Handler) withDefaults() Handler {
	if h.Began == nil {
		h.Began = func(level1.Subscribed) {}
	}
	if h.Message == nil {
		h.Message = func(level1.Message) {}
	}
	if h.Gap == nil {
		h.Gap = func(level1.Missed) {}
	}
	if h.Joined == nil {
		h.Joined = func(level1.Joined) {}
	}
	if h.Left == nil {
		h.Left = func(level1.Left) {}
	}
	if h.Present == nil {
		h.Present = func(level1.Presence) {}
	}
	if h.Ended == nil {
		h.Ended = func(level1.Unsubscribed, error) {}
	}
	return h
}
