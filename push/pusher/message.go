package pusher

import (
	"bytes"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// What is published on a channel of an App is an object, {"event":NAME,"data":DATA}, which plain connections of the Hub
// get as it is. A page gets it with the channel.

// Event is one that is published.
type Event struct {
	Name   string
	Data   []byte // JSON: of a back end always a string; nil: there is none
	UserID string // who has sent it in a presence channel; empty: it is not said
}

// Append appends what is published.
func (e *Event) Append(dst []byte) []byte {
	dst = appendString(append(dst, `{"event":`...), e.Name)
	return append(e.appendRest(dst), '}')
}

// appendRest appends what follows the name of the event, and the channel.
func (e *Event) appendRest(dst []byte) []byte {
	if e.Data != nil {
		dst = append(append(dst, `,"data":`...), e.Data...)
	}
	if e.UserID != "" {
		dst = appendString(append(dst, `,"user_id":`...), e.UserID)
	}
	return dst
}

// EventOf is the event that was published. What is no event, or has a name that only the protocol may use, is the data
// of one that is called "message". Its parts are those of what was published.
func EventOf(published []byte) Event {
	if e, ok := parseEvent(published); ok {
		return e
	}
	text := bytes.ToValidUTF8(published, []byte("\uFFFD"))
	return Event{Name: "message", Data: jsontext.AppendString(nil, text)}
}

// parseEvent reads an event, if it is one.
func parseEvent(published []byte) (e Event, ok bool) {
	if len(published) == 0 || published[0] != '{' || jsontext.Check(published) != nil {
		return Event{}, false
	}
	for name, value := range jsontext.Fields(published) {
		switch string(name) {
		case "event":
			e.Name = stringOf(value)
		case "data":
			e.Data = value
		case "user_id":
			e.UserID = stringOf(value)
		}
	}
	if !isClients(e.Name) {
		e.UserID = ""
	}
	return e, e.Name != "" && len(e.Name) <= MaxEvent && !isProtocols(e.Name)
}

// AppendMessage appends the frame that tells a page what was published on a channel.
func AppendMessage(dst []byte, channel string, published []byte) []byte {
	e := EventOf(published)
	dst = appendString(append(dst, `{"event":`...), e.Name)
	dst = appendString(append(dst, `,"channel":`...), channel)
	if e.Data != nil && e.Data[0] != '"' && !isClients(e.Name) {
		e.Data = jsontext.AppendString(nil, e.Data) // clients expect a string of a back end
	}
	return append(e.appendRest(dst), '}')
}
