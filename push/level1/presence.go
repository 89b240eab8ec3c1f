package level1

import (
	"encoding/json"
	"fmt"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// User is a uid that is present.
type User struct {
	UID  string
	Info json.RawMessage // what the back end says of it; nil: nothing
}

// Presence is the answer to presence.
type Presence struct {
	ID      int64
	Channel push.Target
	N       int    // uids in the channel
	Users   []User // nil: there are too many to name them
	More    bool   // there are more than Users
}

// Append appends the frame. What Users say must be JSON.
func (p Presence) Append(dst []byte) []byte {
	dst = begin(dst, OpPresence)
	dst = appendInt(dst, "id", p.ID)
	dst = appendText(dst, "ch", string(p.Channel))
	dst = appendCount(dst, "n", p.N)
	if p.Users != nil {
		dst = append(appendName(dst, "users"), '{')
		for i, u := range p.Users {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, u.UID), ':')
			dst = appendInfo(dst, u.Info)
		}
		dst = append(dst, '}')
	}
	dst = appendFlag(dst, "more", p.More)
	return append(dst, '}')
}

func appendInfo(dst, info []byte) []byte {
	if info == nil {
		return append(dst, "null"...)
	}
	return append(dst, info...)
}

// Joined tells that a uid has come to a channel.
type Joined struct {
	Channel push.Target
	UID     string
	Info    json.RawMessage // JSON; nil: nothing is said of it
	N       int             // uids that are there now
}

// Append appends the frame.
func (j Joined) Append(dst []byte) []byte {
	dst = begin(dst, OpJoin)
	dst = appendText(dst, "ch", string(j.Channel))
	dst = appendText(dst, "uid", j.UID)
	if j.Info != nil {
		dst = append(appendName(dst, "info"), j.Info...)
	}
	dst = appendCount(dst, "n", j.N)
	return append(dst, '}')
}

// Left tells that a uid has left a channel.
type Left struct {
	Channel push.Target
	UID     string
	N       int // uids that are there now
}

// Append appends the frame.
func (l Left) Append(dst []byte) []byte {
	dst = begin(dst, OpLeave)
	dst = appendText(dst, "ch", string(l.Channel))
	dst = appendText(dst, "uid", l.UID)
	dst = appendCount(dst, "n", l.N)
	return append(dst, '}')
}

// users are those of a presence.
func (f *fields) users(name string) []User {
	value := f.get(name)
	if value == nil {
		return nil
	}
	if value[0] != '{' {
		f.wrong(name, "an object of uids")
		return nil
	}
	all := []User{}
	for uid, info := range jsontext.Fields(value) {
		if err := push.UID(string(uid)).Check(); err != nil {
			f.err = fmt.Errorf("%q: %w", name, err)
			return nil
		}
		u := User{UID: string(uid)}
		if string(info) != "null" {
			u.Info = info
		}
		all = append(all, u)
	}
	return all
}
