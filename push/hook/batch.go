package hook

import "bytes"

// maxBody is the size of a request with events, in bytes, unless one event is larger.
const maxBody = 1 << 20

// batch are events for one request.
type batch struct {
	text   []byte // the events, with commas between them
	starts []int  // where each begins there
	marked bool   // each says that it may have been seen
}

func (b *batch) len() int { return len(b.starts) }

// hasRoom reports whether one more event finds room, where there are to be so many at most.
func (b *batch) hasRoom(most, bytes int) bool {
	return b.len() == 0 || b.len() < most && len(b.text)+1+bytes <= maxBody
}

func (b *batch) add(event []byte) {
	if b.len() > 0 {
		b.text = append(b.text, ',')
	}
	b.starts = append(b.starts, len(b.text))
	b.text = append(b.text, event...)
}

// event is one of them.
func (b *batch) event(i int) []byte {
	if i == b.len()-1 {
		return b.text[b.starts[i]:]
	}
	return b.text[b.starts[i] : b.starts[i+1]-1]
}

// body is that of a request.
func (b *batch) body() []byte {
	body := make([]byte, 0, len(`{"events":[]}`)+len(b.text))
	body = append(body, `{"events":[`...)
	body = append(body, b.text...)
	return append(body, `]}`...)
}

// mark has each event say that it may have been seen, before its number, with which it ends.
func (b *batch) mark() {
	if b.marked {
		return
	}
	marked := batch{text: make([]byte, 0, len(b.text)+b.len()*len(again)), marked: true}
	for i := range b.len() {
		e := b.event(i)
		at := bytes.LastIndex(e, []byte(`,"n":`))
		if at < 0 || bytes.HasSuffix(e[:at], []byte(again)) {
			marked.add(e)
			continue
		}
		marked.add(e[:at])
		marked.text = append(append(marked.text, again...), e[at:]...)
	}
	*b = marked
}

const again = `,"again":true`

// reset makes it empty, and keeps the memory unless that is much.
func (b *batch) reset() {
	const keep = 64 << 10
	if cap(b.text) > keep {
		*b = batch{}
		return
	}
	*b = batch{text: b.text[:0], starts: b.starts[:0]}
}
