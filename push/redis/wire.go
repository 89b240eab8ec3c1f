package redis

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// version begins every message. A node reads no other.
const version = 1

// kind is what a message is.
type kind byte

const (
	publication kind = 1 + iota
	question
	answers
	probe     // whether what is published arrives; of no meaning
	presence  // that a node is up, or leaves
	standing  // a publication that stands in histories
	change    // of who is present in the channel over whose channel it comes
	barrier   // between what has come to a process and what comes to its successor
	forwarded // what has come to it before
	ready     // a successor gets what is forwarded
)

// message is what crosses:
//
//	version kind+flags FROM SEQ [count TARGET…] [NODE] NUMBER [EXCEPT] data   publication
//	version kind+flags FROM SEQ [count TARGET…] data                          question
//	version kind (SEQ form value)…                                            answers
//	version kind                                                              probe
//	version kind FROM here                                                    presence
//	version kind standing NUL publication                                     standing
//	version kind "VERSION N HERE LENGTH " uid info                            change
//	version kind TOKEN                                                        barrier
//	version kind TOKEN last (CHANNEL MESSAGE)…                                forwarded
//	version kind TOKEN                                                        ready
//
// Scripts write changes, and what is before that publication, which a node has written: a standing is "EPOCH TERM
// CLOCK" and an " INDEX OFFSET" for each history. Else numbers are as encoding/binary has unsigned ones; in capitals
// are strings, with their length before them, and numbers.
type message struct {
	kind    kind
	from    string        // the link that sent it, and is told the answer
	seq     uint64        // counts what that link sent
	to      []push.Target // none: the topic over whose channel it came
	node    string        // who published it
	number  uint64        // counts what that published
	except  push.Target
	parts   bool
	data    []byte
	answers []answer
	here    bool // the node is up

	places []place // that it gets in histories, of a publication that is to be sent
	at     mark    // of a publication that stands in histories, whose kind is publication too
	stands []stand

	present push.PresenceEvent // of a change
	version uint64             // counts the changes

	token string // of a handover
	last  bool   // there is no more
	rest  []arrival
}

// stand is where a publication stands in the history of one of its targets.
type stand struct {
	index  int // of the target
	offset uint64
}

// answer is what became of a message at one node.
type answer struct {
	seq     uint64
	form    form
	reached uint64
	data    []byte
}

// form is what an answer has.
type form byte

const (
	nothing  form = iota // the node had it already, or does not want it
	reaching             // how many connections it reached
	telling              // what the node says to a question
)

// flags are what a message has; they are above its kind.
const (
	hasTargets = 1 << (4 + iota)
	hasNode    // other than from
	hasExcept
	inParts
	kinds = hasTargets - 1
)

// append encodes.
func (m *message) append(to []byte) []byte {
	head := byte(m.kind)
	if len(m.to) > 0 {
		head |= hasTargets
	}
	if m.kind == publication {
		if m.node != m.from {
			head |= hasNode
		}
		if m.except != "" {
			head |= hasExcept
		}
		if m.parts {
			head |= inParts
		}
	}
	to = append(to, version, head)
	switch m.kind {
	case probe:
		return to
	case presence:
		to = appendString(to, m.from)
		if m.here {
			return append(to, 1)
		}
		return append(to, 0)
	case answers:
		for _, a := range m.answers {
			to = a.append(to)
		}
		return to
	case barrier, ready:
		return appendString(to, m.token)
	case forwarded:
		return m.appendForwarded(to)
	}
	to = appendString(to, m.from)
	to = binary.AppendUvarint(to, m.seq)
	if head&hasTargets != 0 {
		to = binary.AppendUvarint(to, uint64(len(m.to)))
		for _, t := range m.to {
			to = appendString(to, string(t))
		}
	}
	if m.kind == publication {
		if head&hasNode != 0 {
			to = appendString(to, m.node)
		}
		to = binary.AppendUvarint(to, m.number)
		if head&hasExcept != 0 {
			to = appendString(to, string(m.except))
		}
	}
	return append(to, m.data...)
}

func (a *answer) append(to []byte) []byte {
	to = binary.AppendUvarint(to, a.seq)
	to = append(to, byte(a.form))
	switch a.form {
	case reaching:
		to = binary.AppendUvarint(to, a.reached)
	case telling:
		to = appendString(to, string(a.data))
	}
	return to
}

func appendString(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

// errMalformed is told of what cannot be read.
var errMalformed = errors.New("redis: a message cannot be read")

// decode reads a message. Its data are part of what is read.
func decode(from []byte) (message, error) {
	r := reader{rest: from}
	if r.byte() != version {
		return message{}, errMalformed
	}
	head := r.byte()
	m := message{kind: kind(head & kinds)}
	switch m.kind {
	case probe:
		r.bad = r.bad || len(r.rest) > 0 || head != byte(probe)
	case presence:
		m.from = r.string()
		here := r.byte()
		m.here = here == 1
		r.bad = r.bad || here > 1 || len(r.rest) > 0 || head != byte(presence)
	case answers:
		r.bad = r.bad || head != byte(answers)
		for !r.bad && len(r.rest) > 0 {
			m.answers = append(m.answers, r.answer())
		}
	case barrier, ready, forwarded:
		r.bad = r.bad || head != byte(m.kind)
		r.forwarded(&m)
	case publication:
		r.sender(&m, head)
		if m.node = m.from; head&hasNode != 0 {
			m.node = r.string()
		}
		m.number = r.number()
		if head&hasExcept != 0 {
			m.except = push.Target(r.string())
		}
		m.parts = head&inParts != 0
		m.data = r.rest
	case standing:
		return r.standing(head)
	case change:
		m.present, m.version = r.change()
		r.bad = r.bad || head != byte(change)
	case question:
		r.bad = r.bad || head&(hasNode|hasExcept|inParts) != 0
		r.sender(&m, head)
		m.data = r.rest
	default:
		r.bad = true
	}
	if r.bad {
		return message{}, errMalformed
	}
	return m, nil
}

// reader decodes. After the first error it gives zero values.
type reader struct {
	rest []byte
	bad  bool
}

// standing reads a publication that stands in histories.
func (r *reader) standing(head byte) (message, error) {
	text, rest, found := bytes.Cut(r.rest, []byte{0})
	if r.bad || head != byte(standing) || !found {
		return message{}, errMalformed
	}
	m, err := decode(rest)
	if err != nil || m.kind != publication || m.stands != nil {
		return message{}, errMalformed
	}
	words := strings.Split(string(text), " ")
	m.at, err = readMark(words)
	if err != nil || len(words) < 5 || len(words)%2 == 0 {
		return message{}, errMalformed
	}
	last := -1
	for i := 3; i < len(words); i += 2 {
		index, err := number(words[i])
		offset, wrong := number(words[i+1])
		if err != nil || wrong != nil || int(index) <= last || int(index) >= max(len(m.to), 1) {
			return message{}, errMalformed
		}
		last = int(index)
		m.stands = append(m.stands, stand{last, offset})
	}
	return m, nil
}

// peekMark reads the mark of a message, if it has one, and nothing else of it.
func peekMark(payload string) (mark, bool) {
	if len(payload) < 2 || payload[0] != version || payload[1] != byte(standing) {
		return mark{}, false
	}
	text, _, _ := strings.Cut(payload[2:min(len(payload), maxMark)], "\x00")
	m, err := readMark(strings.SplitN(text, " ", 4))
	return m, err == nil
}

// positions are those that a publication has in the histories of so many targets; nil if it has none.
func (m *message) positions(targets int) []push.Position {
	if m.stands == nil {
		return nil
	}
	all := make([]push.Position, targets)
	for _, s := range m.stands {
		all[s.index] = push.Position{Epoch: m.at.epoch, Offset: s.offset}
	}
	return all
}

// sender reads who sent a message, and whom it is for.
func (r *reader) sender(m *message, head byte) {
	m.from, m.seq = r.string(), r.number()
	if head&hasTargets == 0 {
		return
	}
	n := r.number()
	if n == 0 || n > uint64(len(r.rest)) { // each takes a byte at least
		r.bad = true
		return
	}
	m.to = make([]push.Target, n)
	for i := range m.to {
		m.to[i] = push.Target(r.string())
	}
}

func (r *reader) answer() answer {
	a := answer{seq: r.number(), form: form(r.byte())}
	switch a.form {
	case nothing:
	case reaching:
		a.reached = r.number()
		r.bad = r.bad || a.reached > math.MaxInt32
	case telling:
		a.data = r.bytes()
	default:
		r.bad = true
	}
	return a
}

func (r *reader) byte() byte {
	if r.bad || len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) number() uint64 {
	n, length := binary.Uvarint(r.rest)
	if r.bad || length <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.number()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) string() string { return string(r.bytes()) }
