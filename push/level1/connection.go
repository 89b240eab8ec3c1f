package level1

import (
	"fmt"
	"time"

	"github.com/lineman-go/lineman/push"
)

// Welcome is the answer to hello. Times are in whole seconds on the wire.
type Welcome struct {
	ID        int64
	Conn      push.Target // the name of the connection
	UID       string
	Ping      time.Duration // how often the server looks whether the client is there; 0: never
	Max       int           // bytes of a text of the client, at most
	Expires   time.Time     // of the credential; zero: never
	Heartbeat time.Duration // between two heartbeats; 0: none were asked for
}

// Append appends the frame.
func (w Welcome) Append(dst []byte) []byte {
	dst = begin(dst, OpWelcome)
	dst = appendInt(dst, "id", w.ID)
	dst = appendText(dst, "conn", string(w.Conn))
	dst = appendText(dst, "uid", w.UID)
	dst = appendInt(dst, "ping", int64(w.Ping/time.Second))
	dst = appendInt(dst, "max", int64(w.Max))
	dst = appendUnix(dst, "exp", w.Expires)
	dst = appendInt(dst, "hb", int64(w.Heartbeat/time.Second))
	return append(dst, '}')
}

// Bye comes just before the server closes the connection.
type Bye struct {
	Code  int           // that it is closed with: see docs/pages.md
	Retry time.Duration // when to come again, in whole milliseconds; 0: as the client likes
	Why   string
}

// Append appends the frame.
func (b Bye) Append(dst []byte) []byte {
	dst = begin(dst, OpBye)
	dst = appendInt(dst, "code", int64(b.Code))
	dst = appendInt(dst, "retry", b.Retry.Milliseconds())
	dst = appendText(dst, "why", b.Why)
	return append(dst, '}')
}

// Heartbeat is a sign of life.
type Heartbeat struct{}

// Append appends the frame.
func (Heartbeat) Append(dst []byte) []byte { return append(begin(dst, OpHB), '}') }

// Authorized is the answer to auth: the new credential counts.
type Authorized struct {
	ID      int64
	Expires time.Time // zero: never
}

// Append appends the frame.
func (a Authorized) Append(dst []byte) []byte {
	dst = begin(dst, OpAuth)
	dst = appendInt(dst, "id", a.ID)
	dst = appendUnix(dst, "exp", a.Expires)
	return append(dst, '}')
}

// Expiring tells that the credential expires soon.
type Expiring struct {
	In time.Duration // in whole seconds
}

// Append appends the frame.
func (e Expiring) Append(dst []byte) []byte {
	dst = begin(dst, OpExpiring)
	dst = appendCount(dst, "in", int(e.In/time.Second))
	return append(dst, '}')
}

// Codes of a Failure.
const (
	CodeMalformed    = 400 // it is not understood
	CodeUnauthorized = 401 // the token is not valid
	CodeForbidden    = 403 // it is not allowed
	CodeNotFound     = 404 // there is no history, nobody is counted, or as a back end says
	CodeBusy         = 409 // the same is under way
	CodeTooLarge     = 413 // too many channels, or too much data
	CodeTooMany      = 429 // too much in too short a time
	CodeFailed       = 500 // the back end that was asked has failed
	CodeUnavailable  = 503 // it cannot be told, or taken, now
	CodeTimeout      = 504 // the back end that was asked has not answered in time
)

// Failure is the answer to a request that is not done. It is the frame err, and an error.
type Failure struct {
	ID      int64
	Channel push.Target // empty: it is about none
	Code    int
	Text    string
}

// Append appends the frame.
func (f Failure) Append(dst []byte) []byte {
	dst = begin(dst, OpErr)
	dst = appendInt(dst, "id", f.ID)
	dst = appendText(dst, "ch", string(f.Channel))
	dst = appendInt(dst, "code", int64(f.Code))
	dst = appendText(dst, "msg", f.Text)
	return append(dst, '}')
}

// Error is what went wrong, for a client.
func (f Failure) Error() string {
	if f.Channel == "" {
		return fmt.Sprintf("level1: the server answers %d: %s", f.Code, f.Text)
	}
	return fmt.Sprintf("level1: %q: the server answers %d: %s", f.Channel, f.Code, f.Text)
}
