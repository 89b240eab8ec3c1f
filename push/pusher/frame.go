package pusher

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// What a page says, and what it is told that is no event of a channel.
const (
	eventPing        = "pusher:ping"
	eventPong        = "pusher:pong"
	eventSubscribe   = "pusher:subscribe"
	eventUnsubscribe = "pusher:unsubscribe"
	eventSignin      = "pusher:signin"

	clientPrefix = "client-" // of events that pages send each other
	ownPrefix    = "pusher:" // of events that the protocol has
	innerPrefix  = "pusher_" // of those that libraries keep to themselves
)

// Frame is what a page says: one event. Which fields count, Event says. They are parts of the text.
type Frame struct {
	Event   string
	Channel string // of subscribe and unsubscribe, and of an event of the page's own
	Data    []byte // of the latter: JSON; nil: there is none

	Auth        string // of subscribe and signin: "KEY:SIGNATURE"
	ChannelData string // of subscribe: who it is, as JSON; empty: nothing was said
	UserData    string // of signin: likewise
}

// MaxEvent is the longest name of an event, in bytes.
const MaxEvent = 200

// Errors of ParseFrame.
var (
	errNoFrame   = errors.New(`pusher: a message is a JSON object with "event"`)
	errNoEvent   = errors.New("pusher: the name of an event has 1 to " + strconv.Itoa(MaxEvent) + " bytes")
	errNoChannel = errors.New(`pusher: "channel" is missing`)
	errNoData    = errors.New(`pusher: "data" is an object, or a string that has one`)
)

// ParseFrame reads what a page says.
func ParseFrame(text []byte) (f Frame, err error) {
	if jsontext.Check(text) != nil || jsontext.Begins(text) != '{' {
		return Frame{}, errNoFrame
	}
	for name, value := range jsontext.Fields(text) {
		switch string(name) {
		case "event":
			f.Event = stringOf(value)
		case "channel":
			f.Channel = stringOf(value)
		case "data":
			f.Data = value
		}
	}
	switch {
	case f.Event == "" || len(f.Event) > MaxEvent:
		return Frame{}, errNoEvent
	case f.Event == eventSubscribe || f.Event == eventUnsubscribe || f.Event == eventSignin:
		return f, f.open()
	}
	return f, nil
}

// open reads the data of what the protocol has.
func (f *Frame) open() error {
	data := f.Data
	f.Data, f.Channel = nil, ""
	if data != nil && jsontext.Begins(data) == '"' {
		data = []byte(stringOf(data))
	}
	if jsontext.Check(data) != nil || jsontext.Begins(data) != '{' {
		return errNoData
	}
	for name, value := range jsontext.Fields(data) {
		switch string(name) {
		case "channel":
			f.Channel = stringOf(value)
		case "auth":
			f.Auth = stringOf(value)
		case "channel_data":
			f.ChannelData = stringOf(value)
		case "user_data":
			f.UserData = stringOf(value)
		}
	}
	if f.Channel == "" && f.Event != eventSignin {
		return errNoChannel
	}
	return nil
}

// stringOf is what a JSON string says; empty if the value is none.
func stringOf(value []byte) (text string) {
	if inside, plain := jsontext.Plain(value); plain {
		return string(inside)
	}
	if value[0] == '"' {
		_ = json.Unmarshal(value, &text) // it is valid
	}
	return text
}

// isClients reports whether an event of this name is one of those that pages send.
func isClients(event string) bool { return strings.HasPrefix(event, clientPrefix) }

// isProtocols reports whether only the server may send an event of this name.
func isProtocols(event string) bool {
	return strings.HasPrefix(event, ownPrefix) || strings.HasPrefix(event, innerPrefix)
}
