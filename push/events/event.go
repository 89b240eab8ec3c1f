package events

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Kind is what an event is about.
type Kind string

// The kinds that a group may ask for.
const (
	Connect  Kind = "connect"  // a connection has logged in
	Message  Kind = "message"  // it says something
	Close    Kind = "close"    // it has gone
	Join     Kind = "join"     // a uid has got its first connection
	Leave    Kind = "leave"    // its last one has gone, some time ago
	Occupied Kind = "occupied" // a channel has got its first subscriber
	Vacated  Kind = "vacated"  // its last one has gone, some time ago
	RPC      Kind = "rpc"      // a connection asks something, and waits for the answer
	Pusher   Kind = "pusher"   // a webhook of the Pusher protocol would tell it: see Event.Data
)

// The kinds that a group is told because of what it asks for.
const (
	Sync    Kind = "sync"    // who is there now: it takes the place of what Join, Leave, Occupied and Vacated told
	Dropped Kind = "dropped" // so many events were left out
	Leaving Kind = "leaving" // this process has a successor, to which the next connection goes
)

// Kinds are those that a group may ask for.
func Kinds() []Kind {
	return []Kind{Connect, Message, Close, Join, Leave, Occupied, Vacated, RPC, Pusher}
}

// isState reports whether a kind is about who is there: Sync makes good what was left out of these.
func (k Kind) isState() bool { return k == Join || k == Leave || k == Occupied || k == Vacated }

// Form is what the Data of an Event is.
type Form uint8

// The forms.
const (
	JSON   Form = iota // it is told as "data", as it is written
	Text               // as "text", a string
	Binary             // as "b64", in base64 (RFC 4648, section 4)
)

// Event is what is told. It is on loan, with all that it has, until Emit returns. What does not belong to its Kind is
// zero.
type Event struct {
	Kind Kind
	Conn push.Target // empty: it is about no connection
	UID  string      // empty: nobody's

	// Seq is greater than that of any event before, and At is when it happened. Emit gives both if they are zero.
	Seq uint64
	At  time.Time

	Session json.RawMessage // what the command session keeps with the connection; nil: nothing

	Remote   string // of Connect: the address of the peer
	Level    int    // likewise: of the protocol that it speaks
	Protocol string // likewise: another protocol, which has no levels; empty: it speaks that of the server

	Data  []byte // of Message, RPC and Pusher, of which it is an event as that protocol has it
	Form  Form   // of Data, which is right in it
	Again bool   // the page has said it before, and may have been heard

	Method string // of RPC
	Call   string // likewise: what the answer has to name

	Code   int           // of Close
	Why    string        // likewise
	Lasted time.Duration // likewise: since Connect

	// Receipt is what the program of a successor calls who waits for this event: see Dispatcher.Await. Empty: nobody is
	// told there what has become of it.
	Receipt string

	Channel string // of Occupied, Vacated and Pusher

	// About tells the groups and channels of the connection, if a group wants events of some only; nil: it has none.
	About func() []push.Target
}

// targets are what the event is about.
func (e *Event) targets() (all []push.Target) {
	if e.About != nil {
		all = slices.Clone(e.About())
	}
	if e.UID != "" {
		all = append(all, push.UID(e.UID))
	}
	if e.Channel != "" {
		all = append(all, push.Channel(e.Channel))
	}
	return all
}

// append appends the event as JSON without its last brace, so that what belongs to a listener can follow.
func (e *Event) append(dst []byte) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(append(dst, e.Kind...), '"')
	dst = appendText(dst, "conn", string(e.Conn))
	dst = appendText(dst, "uid", e.UID)
	dst = appendText(dst, "channel", e.Channel)
	dst = strconv.AppendUint(append(dst, `,"seq":`...), e.Seq, 10)
	dst = strconv.AppendInt(append(dst, `,"time":`...), e.At.UnixMilli(), 10)
	switch e.Kind {
	case Connect:
		dst = appendText(dst, "remote", e.Remote)
		if e.Protocol != "" {
			dst = appendText(dst, "protocol", e.Protocol)
		} else {
			dst = strconv.AppendInt(append(dst, `,"level":`...), int64(e.Level), 10)
		}
	case RPC:
		dst = appendText(dst, "call", e.Call)
		dst = appendText(dst, "method", e.Method)
		dst = e.appendData(dst)
	case Message, Pusher:
		dst = e.appendData(dst)
	case Close:
		dst = strconv.AppendInt(append(dst, `,"code":`...), int64(e.Code), 10)
		dst = appendText(dst, "why", e.Why)
		dst = strconv.AppendInt(append(dst, `,"lasted":`...), e.Lasted.Milliseconds(), 10)
	}
	if e.Session != nil {
		dst = append(append(dst, `,"session":`...), e.Session...)
	}
	return dst
}

func (e *Event) appendData(dst []byte) []byte {
	switch e.Form {
	case Text:
		return jsontext.AppendString(append(dst, `,"text":`...), e.Data)
	case Binary:
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"b64":"`...), e.Data)
		return append(dst, '"')
	}
	if e.Data == nil {
		return dst
	}
	return appendLine(append(dst, `,"data":`...), e.Data)
}

// appendLine appends JSON as a part of a line: the ends of lines that it may have are white space.
func appendLine(dst, json []byte) []byte {
	start := len(dst)
	dst = append(dst, json...)
	for i, c := range dst[start:] {
		if c == '\n' || c == '\r' {
			dst[start+i] = ' '
		}
	}
	return dst
}

// appendText appends a field, unless it is empty.
func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	if !utf8.ValidString(value) {
		value = strings.ToValidUTF8(value, string(utf8.RuneError))
	}
	return jsontext.AppendString(dst, value)
}
