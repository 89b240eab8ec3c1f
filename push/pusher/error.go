package pusher

import (
	"strconv"
)

// Codes of errors, as the protocol has them: 40xx do not come back, 41xx come back later, 42xx come back at once. The
// connection is closed with them; 43xx are told alone.
const (
	CodeUnknownApp   = 4001 // there is no app of this key
	CodeOverCapacity = 4004 // the app has as many connections as it may have
	CodePath         = 4005
	CodeVersion      = 4006 // what should be a version is none
	CodeProtocol     = 4007 // this version of the protocol is not served
	CodeNoProtocol   = 4008 // the version of the protocol was not told
	CodeUnauthorized = 4009
	CodeBusy         = 4100
	CodeReconnect    = 4200
	CodeNoPong       = 4201
	CodeRejected     = 4300 // a message that is not understood, or not allowed
	CodeClientRate   = 4301 // too many events of the page's own
	CodeWatchlist    = 4302 // a watchlist of too many users
)

// Error is what a page is told that has done something wrong. It is the frame pusher:error.
type Error struct {
	Code    int
	Text    string
	Channel string // that it is about; empty: none
}

// Error is what went wrong.
func (e *Error) Error() string { return "pusher: " + strconv.Itoa(e.Code) + ": " + e.Text }

// Append appends the frame. Its data is an object, as the protocol has it.
func (e *Error) Append(dst []byte) []byte {
	dst = append(begin(dst, "pusher:error", e.Channel), `,"data":{"code":`...)
	dst = append(strconv.AppendInt(dst, int64(e.Code), 10), `,"message":`...)
	return append(appendString(dst, e.Text), "}}"...)
}

// refusal is why a page does not get a channel.
type refusal struct {
	kind   string // for programs
	status int    // as HTTP has it
	text   string
}

// Refusals of a channel.
var (
	unauthorized = &refusal{"AuthError", 401, "the signature is not good"}
	unfitData    = &refusal{"AuthError", 400, `channel_data has "user_id", 1 to 128 bytes, and "user_info", to 1 KiB`}
	noMember     = &refusal{"AuthError", 401, `a presence channel needs "channel_data", or a user who has signed in`}
	full         = &refusal{"LimitReached", 403, "as many members are there as may be"}
	ended        = &refusal{"Ended", 403, "the back end has ended it"}
	unavailable  = &refusal{"Unavailable", 503, "it is not known who is there: try again later"}
)

// append appends the frame that tells it.
func (r *refusal) append(dst []byte, channel string) []byte {
	data := appendString([]byte(`{"type":`), r.kind)
	data = appendString(append(data, `,"error":`...), r.text)
	data = append(data, `,"status":`...)
	data = append(strconv.AppendInt(data, int64(r.status), 10), '}')
	return appendData(begin(dst, "pusher:subscription_error", channel), data)
}
