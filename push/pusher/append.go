package pusher

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// What the server says. The data of a frame is a string that has JSON, as clients expect it: so it is encoded twice.

// begin appends the beginning of a frame, up to its event, and its channel if there is one.
func begin(dst []byte, event, channel string) []byte {
	dst = append(dst, `{"event":"`...)
	dst = append(append(dst, event...), '"')
	if channel != "" {
		dst = appendString(append(dst, `,"channel":`...), channel)
	}
	return dst
}

// appendData appends data that has JSON, and the end of a frame.
func appendData(dst []byte, data []byte) []byte {
	dst = append(dst, `,"data":`...)
	return append(jsontext.AppendString(dst, data), '}')
}

// appendString appends a JSON string. What is no UTF-8 in it becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	return jsontext.AppendString(dst, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// activityTimeout is after how many seconds of silence a client asks whether the server is still there.
const activityTimeout = 120

// appendEstablished appends the first frame of all.
func appendEstablished(dst []byte, socketID string) []byte {
	data := appendString([]byte(`{"socket_id":`), socketID)
	data = append(data, `,"activity_timeout":`...)
	data = append(strconv.AppendInt(data, activityTimeout, 10), '}')
	return appendData(begin(dst, "pusher:connection_established", ""), data)
}

// appendPong appends the answer to a ping.
func appendPong(dst []byte) []byte { return appendData(begin(dst, eventPong, ""), []byte("{}")) }

// appendSucceeded appends that a page has subscribed. data is who is there, for a presence channel.
func appendSucceeded(dst []byte, channel string, data []byte) []byte {
	if data == nil {
		data = []byte("{}")
	}
	return appendData(begin(dst, "pusher_internal:subscription_succeeded", channel), data)
}

// appendCount appends how many connections have subscribed to a channel.
func appendCount(dst []byte, channel string, n int) []byte {
	data := strconv.AppendInt([]byte(`{"subscription_count":`), int64(n), 10)
	return appendData(begin(dst, "pusher_internal:subscription_count", channel), append(data, '}'))
}

// members is who is in a presence channel, as appendSucceeded tells it, in the order of the users.
func members(p push.Presence) []byte {
	ids := slices.Sorted(maps.Keys(p.Users))
	dst := append([]byte(nil), `{"presence":{"count":`...)
	dst = append(strconv.AppendInt(dst, int64(p.N), 10), `,"ids":[`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, id)
	}
	dst = append(dst, `],"hash":{`...)
	for i, id := range ids {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, id), ':')
		dst = appendInfo(dst, p.Users[id])
	}
	return append(dst, "}}}"...)
}

// appendInfo appends what is known of a user.
func appendInfo(dst []byte, info json.RawMessage) []byte {
	if info == nil {
		return append(dst, "null"...)
	}
	return append(dst, info...)
}

// appendMember appends that a user has come to a presence channel, or gone.
func appendMember(dst []byte, channel string, e push.PresenceEvent) []byte {
	event, data := "pusher_internal:member_removed", appendString([]byte(`{"user_id":`), e.UID)
	if e.Here {
		event = "pusher_internal:member_added"
		if e.Info != nil {
			data = appendInfo(append(data, `,"user_info":`...), e.Info)
		}
	}
	return appendData(begin(dst, event, channel), append(data, '}'))
}

// appendCacheMiss appends that a cache channel has no last event.
func appendCacheMiss(dst []byte, channel string) []byte {
	return append(begin(dst, "pusher:cache_miss", channel), '}')
}

// appendSignedIn appends that a page has signed in.
func appendSignedIn(dst []byte, userData string) []byte {
	data := appendString([]byte(`{"user_data":`), userData)
	return appendData(begin(dst, "pusher:signin_success", ""), append(data, '}'))
}

// appendWatched appends who of those that a page watches for is online, and who is not.
func appendWatched(dst []byte, online, offline []string) []byte {
	data := []byte(`{"events":[`)
	for _, e := range []struct {
		name string
		ids  []string
	}{{"online", online}, {"offline", offline}} {
		if len(e.ids) == 0 {
			continue
		}
		if data[len(data)-1] == '}' {
			data = append(data, ',')
		}
		data = append(append(append(data, `{"name":"`...), e.name...), `","user_ids":[`...)
		for i, id := range e.ids {
			if i > 0 {
				data = append(data, ',')
			}
			data = appendString(data, id)
		}
		data = append(data, "]}"...)
	}
	return appendData(begin(dst, "pusher_internal:watchlist_events", ""), append(data, "]}"...))
}
