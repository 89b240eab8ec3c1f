package level1

import (
	"time"

	"github.com/lineman-go/lineman/push"
)

// Subscribed tells that a target is followed from now on: first N Messages that were missed, then live.
type Subscribed struct {
	ID       int64 // 0: the client did not ask for it
	Channel  push.Target
	Position push.Position // after the N Messages; zero: no history is kept of it
	N        int
	Gap      push.Gap // why what was missed cannot be told: the client has to load the state
}

// Append appends the frame.
func (s Subscribed) Append(dst []byte) []byte {
	dst = begin(dst, OpSub)
	dst = appendInt(dst, "id", s.ID)
	dst = appendText(dst, "ch", string(s.Channel))
	dst = appendPosition(dst, "pos", s.Position)
	dst = appendInt(dst, "n", int64(s.N))
	dst = appendText(dst, "gap", string(s.Gap))
	return append(dst, '}')
}

// Unsubscribed tells that a target is no longer followed.
type Unsubscribed struct {
	ID      int64
	Channel push.Target
	Why     string // "server" or "auth"; empty: the client asked for it
}

// Why a target is no longer followed that the client wanted.
const (
	WhyServer = "server" // a back end took the connection out
	WhyAuth   = "auth"   // the new credential does not allow it
)

// Append appends the frame.
func (u Unsubscribed) Append(dst []byte) []byte {
	dst = begin(dst, OpUnsub)
	dst = appendInt(dst, "id", u.ID)
	dst = appendText(dst, "ch", string(u.Channel))
	dst = appendText(dst, "why", u.Why)
	return append(dst, '}')
}

// History is the answer to hist.
type History struct {
	ID       int64
	Channel  push.Target
	Messages []push.Stored
	Top      push.Position // of the newest one of the channel
	More     bool          // there are more after the last of Messages
	Gap      push.Gap
}

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z"

// Append appends the frame.
func (h History) Append(dst []byte) []byte {
	dst = begin(dst, OpHist)
	dst = appendInt(dst, "id", h.ID)
	dst = appendText(dst, "ch", string(h.Channel))
	dst = append(appendName(dst, "messages"), '[')
	for i, m := range h.Messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"pos":"`...)
		dst = append(appendPlace(dst, m.Position), `","at":"`...)
		dst = append(m.At.UTC().AppendFormat(dst, timeFormat), '"')
		dst = append(appendData(dst, m.Data), '}')
	}
	dst = append(dst, ']')
	dst = appendPosition(dst, "pos", h.Top)
	dst = appendFlag(dst, "more", h.More)
	dst = appendText(dst, "gap", string(h.Gap))
	return append(dst, '}')
}

// stored are the messages of a history.
func (f *fields) stored(name string) (all []push.Stored) {
	for frame := range f.objects(name) {
		m := readFields(frame)
		s := push.Stored{Position: m.position("pos"), Data: m.data()}
		if m.err == nil && s.Position == (push.Position{}) {
			m.wrong("pos", "that of the message")
		}
		if text := m.text("at"); m.err == nil {
			s.At, m.err = time.Parse(time.RFC3339, text)
		}
		if f.err = m.err; f.err != nil {
			return nil
		}
		all = append(all, s)
	}
	return all
}
