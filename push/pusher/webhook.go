package pusher

import (
	"strconv"
	"time"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// Names of HookEvents.
const (
	ChannelOccupied = "channel_occupied"
	ChannelVacated  = "channel_vacated"
	MemberAdded     = "member_added"
	MemberRemoved   = "member_removed"
	ClientEvent     = "client_event"
	CacheMiss       = "cache_miss"

	SubscriptionCount = "subscription_count"
)

// HookEvent is what a back end is told by a webhook. Which fields count, Name says.
type HookEvent struct {
	Name    string
	Channel string
	UserID  string // of MemberAdded and MemberRemoved, and of ClientEvent in a presence channel

	Event    string // of ClientEvent: its name
	Data     []byte // likewise: JSON, on loan
	SocketID string // likewise: who has sent it

	Count int // of SubscriptionCount
}

// AppendHooks appends the body of a webhook; each event is what HookEvent.Append has made. It is sent with the headers
// X-Pusher-Key, the Key of the App, and X-Pusher-Signature, App.Sign of the body.
func AppendHooks(dst []byte, at time.Time, events ...[]byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"time_ms":`...), at.UnixMilli(), 10)
	dst = append(dst, `,"events":[`...)
	for i, e := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, e...)
	}
	return append(dst, "]}"...)
}

// Append appends the event as JSON.
func (e HookEvent) Append(dst []byte) []byte {
	dst = appendString(append(dst, `{"name":`...), e.Name)
	dst = appendString(append(dst, `,"channel":`...), e.Channel)
	if e.Count > 0 {
		dst = strconv.AppendInt(append(dst, `,"subscription_count":`...), int64(e.Count), 10)
	}
	if e.Event != "" {
		dst = appendString(append(dst, `,"event":`...), e.Event)
	}
	if e.Data != nil {
		text := e.Data
		if text[0] == '"' {
			text = []byte(stringOf(text))
		}
		dst = jsontext.AppendString(append(dst, `,"data":`...), text)
	}
	for _, f := range []struct{ name, value string }{{"socket_id", e.SocketID}, {"user_id", e.UserID}} {
		if f.value != "" {
			dst = appendString(append(append(append(dst, `,"`...), f.name...), `":`...), f.value)
		}
	}
	return append(dst, '}')
}
