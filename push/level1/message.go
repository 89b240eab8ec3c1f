package level1

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Message is a publication, as the subscribers of a target get it.
type Message struct {
	Channel  push.Target
	Position push.Position // zero: no history is kept of Channel
	Data     []byte        // as it was published; white space around JSON is not told by Frames
}

// Append appends the frame.
func (m Message) Append(dst []byte) []byte {
	dst = begin(dst, OpMsg)
	dst = appendText(dst, "ch", string(m.Channel))
	dst = appendPosition(dst, "pos", m.Position)
	dst = appendData(dst, m.Data)
	return append(dst, '}')
}

// Passed moves the position of a target on, without a message.
type Passed struct {
	Channel  push.Target
	Position push.Position
}

// Append appends the frame.
func (p Passed) Append(dst []byte) []byte {
	dst = begin(dst, OpPos)
	dst = appendText(dst, "ch", string(p.Channel))
	dst = appendPosition(dst, "pos", p.Position)
	return append(dst, '}')
}

// Missed tells that something of a target was missed in the midst. It goes on after Position.
type Missed struct {
	Channel  push.Target
	Gap      push.Gap
	Position push.Position
}

// Append appends the frame.
func (m Missed) Append(dst []byte) []byte {
	dst = begin(dst, OpGap)
	dst = appendText(dst, "ch", string(m.Channel))
	dst = appendText(dst, "gap", string(m.Gap))
	dst = appendPosition(dst, "pos", m.Position)
	return append(dst, '}')
}

// maxDataDepth is how deep data may be nested that goes in as it is: around it there are an array of frames, a frame,
// and in hist an array of messages and a message.
const maxDataDepth = jsontext.MaxDepth - 4

// appendData appends what was published: as "data" if it is JSON, else as "text" if it is UTF-8, else as "b64".
func appendData(dst, data []byte) []byte {
	switch {
	case !utf8.Valid(data):
		dst = append(appendName(dst, "b64"), '"')
		return append(base64.StdEncoding.AppendEncode(dst, data), '"')
	case mayBeJSON(data) && json.Valid(data) && jsontext.Depth(data) <= maxDataDepth:
		return append(appendName(dst, "data"), data...)
	}
	return jsontext.AppendString(appendName(dst, "text"), data)
}

// mayBeJSON reports whether data begins as JSON does: for most texts it says no, and they need not be parsed, which
// makes an error of what is none.
func mayBeJSON(data []byte) bool {
	return len(data) > 0 && strings.IndexByte("{[\"-0123456789tfn \t\r\n", data[0]) >= 0
}

// data is what was published. It must be there.
func (f *fields) data() []byte {
	data := f.dataIfAny()
	if data == nil && f.err == nil {
		f.wrong("data", "it, or text, or b64")
	}
	return data
}

// dataIfAny is data, or nil if there is none.
func (f *fields) dataIfAny() []byte {
	if value := f.raw("data"); value != nil {
		return value // also null
	}
	if f.raw("text") != nil {
		return []byte(f.text("text"))
	}
	if f.raw("b64") == nil {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(f.text("b64"))
	if err != nil {
		f.wrong("b64", "base64")
	}
	return data
}
