package command

import "github.com/lineman-go/lineman/push"

// Caller is who gives a command. The zero value may do everything, and comes from nowhere that is told.
type Caller struct {
	Permit *Permit      // what it may do; nil means everything
	From   *push.Source // where it is, for the debug log and for who watches; nil: that is not told
	Stream Stream       // takes the events of watch; nil: it cannot take any

	Listening Listening // takes those of listen; nil: it cannot take any
}

// A Stream is the connection of a back end, which the command watch makes one of events. Its methods are called on the
// loop of the Hub.
type Stream interface {
	// Begin is called once the connection may watch. It calls w.End when it has closed, at the latest.
	Begin(w *Watching)

	// Send sends an event, a line without its end, which is on loan until Send returns. It returns at once, and false
	// if there is no room for it: then it calls w.Resume when there is.
	Send(event []byte) bool
}
