package resp

import "bytes"

// awaited is the queue of requests in flight: what answers are still to come, in their order. The zero value awaits
// none.
type awaited struct {
	queue []request
	first int
}

// request is what was asked.
type request struct {
	kind asked
	left int  // answers of plain requests; confirmations of a subscription
	some bool // of its answers have come
}

// asked is how a request is answered.
type asked uint8

const (
	plain         asked = iota // by a value each
	slots                      // by one that is as isSlots tells
	subscribing                // by a push for each name, or by an error
	unsubscribing              // by pushes, or by an error, and by the answer to a PING that the client sends behind it
)

// front is what is to be answered next, or nil.
func (a *awaited) front() *request {
	if a.first == len(a.queue) {
		return nil
	}
	return &a.queue[a.first]
}

// answered takes the front away.
func (a *awaited) answered() {
	if a.first++; a.first == len(a.queue) {
		a.queue, a.first = a.queue[:0], 0
	}
}

// shape is what the next answer has to be like; nil is anything.
func (a *awaited) shape() shape {
	if r := a.front(); r != nil && r.kind == slots {
		return isSlots
	}
	return nil
}

// ask notes a request.
func (a *awaited) ask(v *value) {
	r := request{kind: plain, left: 1}
	switch name := v.words[0]; {
	case len(name) == 0:
	case isWord(name, "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"):
		r = request{kind: subscribing, left: v.count - 1}
	case isWord(name, "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"):
		r = request{kind: unsubscribing, left: 2}
	case isWord(name, "CLUSTER") && isWord(v.words[1], "SLOTS"):
		r.kind = slots
	}
	if last := len(a.queue) - 1; last >= a.first {
		switch back := &a.queue[last]; {
		case back.kind == unsubscribing && back.left == 2 && isWord(v.words[0], "PING"):
			back.left = 1
			return
		case back.kind == plain && r.kind == plain:
			back.left++
			return
		}
	}
	if a.first > 0 && len(a.queue) == cap(a.queue) {
		a.queue, a.first = append(a.queue[:0], a.queue[a.first:]...), 0
	}
	a.queue = append(a.queue, r)
}

// take notes a value that came, and tells what is wrong with its coming.
func (a *awaited) take(v *value) error {
	if v.kind == push {
		return a.pushed(v)
	}
	if v.kind == failure || v.kind == bulkError {
		if n := redirects(v.words[0]); bytes.Count(v.words[0], []byte(" "))+1 < n {
			return violated("an error that does not say where to go, %.40q", v.words[0])
		}
	}
	r := a.front()
	if r == nil {
		return violated("a value that nobody asked for, %.40q", v.words[0])
	}
	switch isError := v.kind == failure || v.kind == bulkError; {
	case r.kind == plain:
		if r.left--; r.left == 0 {
			a.answered()
		}
	case r.kind == slots:
		a.answered()
	case r.kind == subscribing && isError && !r.some:
		a.answered()
	case r.kind == unsubscribing && isPong(v):
		a.answered()
	case r.kind == unsubscribing && isError && !r.some:
		r.some = true // the PING is still to be answered
	default:
		return violated("a subscription is answered by %.40q, in place of a push", v.words[0])
	}
	return nil
}

// isPong reports whether the client takes a value for the answer to the PING behind an UNSUBSCRIBE.
func isPong(v *value) bool {
	text := v.words[0]
	switch v.kind {
	case failure, bulkError:
		return bytes.HasPrefix(text, []byte("LOADING")) || bytes.HasPrefix(text, []byte("BUSY")) ||
			bytes.Contains(text, []byte("'ping'"))
	case array:
		return string(text) == "pong"
	}
	return string(text) == "PONG"
}

// pushed notes a message, or that a subscription has begun or ended.
func (a *awaited) pushed(v *value) error {
	r, elements := a.front(), 0
	switch string(v.words[0]) {
	case "message", "smessage":
		elements = 3
	case "pmessage":
		elements = 4
	case "subscribe", "psubscribe", "ssubscribe":
		if r == nil || r.kind != subscribing {
			return violated("a subscription that nobody asked for, %.40q", v.words[1])
		}
		r.some, elements = true, 3
		if r.left--; r.left <= 0 {
			a.answered()
		}
	case "unsubscribe", "punsubscribe", "sunsubscribe":
		if r != nil && r.kind == subscribing && r.some { // the client would count it as one of the confirmations
			return violated("a subscription that ends while others begin, %.40q", v.words[1])
		}
		elements = 3
	case "":
		return violated("a push that does not say what it is")
	}
	if elements > 0 && v.count != elements {
		return violated("a push %q of %d elements", v.words[0], v.count)
	}
	return nil
}
