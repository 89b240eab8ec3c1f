package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// Reply is the answer to a Request: a JSON object. What a command does not answer is nil.
type Reply struct {
	OK       bool                            `json:"ok"`
	Error    *Error                          `json:"error,omitempty"`
	N        *int                            `json:"n,omitempty"` // connections, or uids
	Counts   map[push.Target]int             `json:"counts,omitempty"`
	Online   map[UID]bool                    `json:"online,omitempty"`
	UIDs     *[]string                       `json:"uids,omitempty"`
	Conns    *[]push.Target                  `json:"conns,omitempty"`
	Sessions map[push.Target]json.RawMessage `json:"sessions,omitempty"`
	Groups   *[]string                       `json:"groups,omitempty"`
	Channels *[]string                       `json:"channels,omitempty"`
	Nodes    map[string]int                  `json:"nodes,omitempty"`

	// of the targets of a publication that keep history
	Pos      map[push.Target]push.Position `json:"pos,omitempty"`
	Messages *[]Message                    `json:"messages,omitempty"`
	Top      push.Position                 `json:"top,omitzero"`
	Gap      push.Gap                      `json:"gap,omitempty"`

	Users *map[string]json.RawMessage `json:"users,omitempty"` // that are present, with what is known of each
	More  bool                        `json:"more,omitempty"`  // they are too many to be told
	Stats *Stats                      `json:"stats,omitempty"`

	// some nodes have not answered in time, or are missing: there may be more
	Incomplete bool `json:"incomplete,omitempty"`

	text []byte // what JSON returns; nil if that is not known
}

// bounded is the reply, or the answer in its place if it is too long.
func (r Reply) bounded() Reply {
	if r.text = r.JSON(); len(r.text) > push.MaxAnswer {
		return Reply{Error: &Error{
			Code: TooMany, Text: fmt.Sprintf("the answer has more than %d MiB: ask about fewer", push.MaxAnswer>>20),
		}}
	}
	return r
}

// JSON is the reply as it is sent, at most push.MaxAnswer bytes. It must not be changed.
func (r Reply) JSON() []byte {
	if r.text != nil {
		return r.text
	}
	if r.isCount() {
		return r.appendCount(make([]byte, 0, 48))
	}
	text, err := json.Marshal(r)
	if err != nil {
		return []byte(`{"ok":false,"error":{"code":"invalid","text":"the answer cannot be written"}}`)
	}
	return text
}

// AppendJSON appends JSON.
func (r *Reply) AppendJSON(dst []byte) []byte {
	if r.text == nil && r.isCount() {
		return r.appendCount(dst)
	}
	return append(dst, r.JSON()...)
}

// isCount reports whether a reply has nothing but how many connections there are, as that of a publication: it is
// written without encoding/json.
func (r *Reply) isCount() bool {
	asked := r.Counts != nil || r.Online != nil || r.UIDs != nil || r.Conns != nil || r.Sessions != nil ||
		r.Groups != nil || r.Channels != nil || r.Nodes != nil
	kept := r.Pos != nil || r.Messages != nil || r.Top != push.Position{} || r.Gap != ""
	present := r.Users != nil || r.More || r.Stats != nil
	return r.OK && r.Error == nil && r.N != nil && !asked && !kept && !present
}

func (r *Reply) appendCount(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"ok":true,"n":`...), int64(*r.N), 10)
	if r.Incomplete {
		dst = append(dst, `,"incomplete":true`...)
	}
	return append(dst, '}')
}

// Code tells programs what went wrong.
type Code string

// The codes of an Error.
const (
	Invalid        Code = "invalid"         // the request is wrong, and will be again
	UnknownCommand Code = "unknown_command" // there is none of that name
	Unauthorized   Code = "unauthorized"    // no key, or not one that is known
	Denied         Code = "denied"          // the key is not allowed to do that
	TooMany        Code = "too_many"        // too fast, or too much: try again later
	Unavailable    Code = "unavailable"     // other nodes cannot be reached now, or this one is stopping: ask again
	NotKept        Code = "not_kept"        // the disk does not take what is to be kept: ask again, when it is seen to
)

// Error is what went wrong. Nothing has been done then, unless a change of many connections has reached a limit.
type Error struct {
	Code Code   `json:"code"`
	Text string `json:"text"` // for people
}

// mayPass reports whether the same request may succeed later, as nothing was done.
func (e *Error) mayPass() bool { return e.Code == Unavailable || e.Code == NotKept }

func (e *Error) Error() string { return "command: " + e.Text }

func invalid(format string, args ...any) *Error {
	return &Error{Code: Invalid, Text: fmt.Sprintf(format, args...)}
}

// Failed is the answer that tells of an error.
func Failed(err error) Reply {
	var e *Error
	if errors.As(err, &e) {
		return Reply{Error: e}
	}
	e = invalid("%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "push: "), "events: "))
	switch {
	case errors.Is(err, push.ErrUnlinked), errors.Is(err, push.ErrClosed), errors.Is(err, push.ErrUnanswered):
		e.Code = Unavailable
	case errors.Is(err, push.ErrJournal):
		e.Code = NotKept
	case errors.Is(err, push.ErrLimit):
		e.Code = TooMany
	}
	return Reply{Error: e}
}

// failed is Failed, with the name of the setting that it is about.
func (t *Table[C]) failed(err error) Reply {
	r := Failed(err)
	switch {
	case errors.Is(err, push.ErrTooLarge) && t.options.TooLarge != "":
		r.Error.Text += ": " + t.options.TooLarge
	case errors.Is(err, push.ErrNoHistory) && t.options.NoHistory != "":
		r.Error.Text += ": " + t.options.NoHistory
	case errors.Is(err, push.ErrNoPresence) && t.options.NoPresence != "":
		r.Error.Text += ": " + t.options.NoPresence
	}
	return r
}

// named is the answer of a list; one that is empty is still there.
func named(names []string) *[]string {
	if names == nil {
		names = []string{}
	}
	return &names
}

// reached is the answer that counts connections.
func reached(n int) Reply {
	if 0 <= n && n < len(few) {
		return Reply{OK: true, N: &few[n]}
	}
	return manyReached(n)
}

func manyReached(n int) Reply { return Reply{OK: true, N: &n} }

// few are counts as most publications have them, for Reply.N. Immutable.
var few = [...]int{0, 1, 2, 3, 4, 5, 6, 7}
