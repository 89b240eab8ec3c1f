package server

import (
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// replayCache caches the frames of messages that pages have missed: when many come back at once, they have missed the
// same, and to see whether a message is JSON costs more than to send it. Owned by the loop.
type replayCache struct {
	by    map[push.Target]*replayed
	bytes int
}

// replayed are the frames of a target for some offsets in a row.
type replayed struct {
	epoch  string
	first  uint64
	frames [][]byte
}

// maxReplayCache is how many bytes of frames are cached. Then all are forgotten.
const maxReplayCache = 8 << 20

// frame is that of a message of a target. It must not be changed.
func (c *replayCache) frame(of push.Target, m push.Stored) []byte {
	r := c.by[of]
	at := m.Position
	if r == nil || r.epoch != at.Epoch || at.Offset < r.first || at.Offset-r.first > uint64(len(r.frames)) {
		r = &replayed{epoch: at.Epoch, first: at.Offset}
		if c.by == nil {
			c.by = make(map[push.Target]*replayed)
		}
		c.by[of] = r
	}
	if i := at.Offset - r.first; i < uint64(len(r.frames)) {
		return r.frames[i]
	}
	frame := level1.Message{Channel: of, Position: at, Data: m.Data}.Append(nil)
	if c.bytes += len(frame); c.bytes > maxReplayCache {
		c.forget()
		return frame
	}
	r.frames = append(r.frames, frame)
	return frame
}

// forget forgets all. It is called every few seconds.
func (c *replayCache) forget() { *c = replayCache{} }
