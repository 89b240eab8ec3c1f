package lineman

import (
	"fmt"

	"github.com/lineman-go/lineman/protocol"
)

// framing is the session of a protocol whose codec has the two methods that are enough for most.
type framing struct {
	plain
	codec protocol.Codec
	max   int // more than this is never kept for Decode to wait for, whatever it says
}

// slack is what a codec may need beside the message itself: lengths, padding, a trailer.
const slack = 64 << 10

func (f *framing) Decode(data []byte) (int, []byte, error) {
	n, msg, err := f.codec.Decode(data)
	switch {
	case n < 0 || n > len(data):
		return 0, nil, fmt.Errorf("codec used up %d of %d bytes", n, len(data))
	case n == 0 && err == nil && msg != nil:
		return 0, nil, fmt.Errorf("codec gave a message without using up a byte")
	case n == 0 && err == nil && len(data) > f.max:
		return 0, nil, ErrTooLarge
	}
	return n, msg, err
}

func (f *framing) Append(dst, msg []byte) ([]byte, error) { return f.codec.Append(dst, msg) }

func (f *framing) messageType() protocol.Type {
	if t, ok := f.codec.(protocol.Typed); ok {
		return t.Type()
	}
	return protocol.Type{}
}

func (f *framing) appendTyped(dst, msg []byte, t protocol.Type) ([]byte, error) {
	if c, ok := f.codec.(protocol.Typed); ok {
		return c.AppendTyped(dst, msg, t)
	}
	return dst, errNoTypes
}

// raw is the session of a worker without a protocol: whatever was read is a message.
type raw struct{ plain }

func (raw) Decode(data []byte) (int, []byte, error) { return len(data), data, nil }
func (raw) Append(dst, msg []byte) ([]byte, error)  { return append(dst, msg...), nil }
