package command

import (
	"slices"
	"strconv"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// A request that is written plainly is read where it lies, without encoding/json, which costs several times as much as
// all else that a publication needs. Its names are as the table has them, each once; its strings have no escapes, its
// numbers are small. Any other is read by encoding/json, which also finds what is wrong with it.

// fieldSet are some fields of a Request that may be plain.
type fieldSet uint16

const (
	hasCmd fieldSet = 1 << iota
	hasID
	hasTo
	hasData
	hasText
	hasExcept
	hasUID
	hasGroup
	hasChannel
	hasReason
	hasWait
	hasOther // any other field
)

// plainField is the set of a field.
func plainField[T string | []byte](name T) fieldSet {
	switch string(name) {
	case "cmd":
		return hasCmd
	case "id":
		return hasID
	case "to":
		return hasTo
	case "data":
		return hasData
	case "text":
		return hasText
	case "except":
		return hasExcept
	case "uid":
		return hasUID
	case "group":
		return hasGroup
	case "channel":
		return hasChannel
	case "reason":
		return hasReason
	case "wait":
		return hasWait
	}
	return hasOther
}

func plainFields(names []string) (set fieldSet) {
	for _, name := range names {
		set |= plainField(name)
	}
	return set
}

// parsePlain is parse of a request that is written plainly, and right; nil of any other.
func (t *Table[C]) parsePlain(o object, cmd string) (*Request, *row[C]) {
	q := &t.scratch
	*q = Request{}
	has, plain := t.readPlain(q, o)
	if !plain || cmd != "" && q.Cmd != "" && q.Cmd != cmd || len(q.ID) > maxID {
		return nil, nil
	}
	if cmd != "" {
		q.Cmd = cmd
	}
	r := t.rowOf(q.Cmd)
	if r == nil || has&^(r.takesPlain|hasCmd|hasID) != 0 || r.needsPlain&^has != 0 {
		return nil, nil
	}
	if !r.drops {
		kept := *q
		kept.To = slices.Clone(q.To)
		q = &kept
	}
	return q, r
}

// rowOf finds a command; nil if there is none. Most are the one before.
func (t *Table[C]) rowOf(cmd string) *row[C] {
	if t.last == nil || t.last.name != cmd {
		t.last = t.rows[cmd]
	}
	return t.last
}

// readPlain reads the fields of an object, which Data and text stay parts of.
func (t *Table[C]) readPlain(q *Request, o object) (has fieldSet, plain bool) {
	for i := range o.Len() {
		field := plainField(o.Name(i))
		if has&field != 0 || !t.setPlain(q, field, o, i) {
			return 0, false
		}
		has |= field
	}
	return has, true
}

// setPlain sets a field to the i-th value, or reports that this is not plain.
func (t *Table[C]) setPlain(q *Request, field fieldSet, o object, i int) (plain bool) {
	inside, plain := o.Plain(i)
	switch {
	case field == hasData:
		q.Data = o.Value(i)
		return true
	case field == hasWait:
		q.Wait, plain = plainNumber(o.Value(i))
		return plain
	case field == hasTo && !plain:
		q.To, plain = plainTargets(o.Value(i))
		return plain
	case !plain:
		return false
	}
	switch field {
	case hasTo:
		t.to[0] = t.targetOf(inside)
		q.To = t.to[:]
	case hasText:
		q.text = inside
	case hasCmd:
		q.Cmd = string(inside)
	case hasID:
		q.ID = string(inside)
	case hasExcept:
		q.Except = push.Target(inside)
	case hasUID:
		q.UID = UID(inside)
	case hasGroup:
		q.Group = string(inside)
	case hasChannel:
		q.Channel = string(inside)
	case hasReason:
		q.Reason = string(inside)
	default:
		return false
	}
	return true
}

// targetOf is the target that a text names. Many requests in a row name the same: so they make no garbage.
func (t *Table[C]) targetOf(text []byte) push.Target {
	switch {
	case string(t.lastTo) == string(text):
	case len(text) > push.MaxName: // too much to be kept
		return push.Target(text)
	default:
		t.lastTo = push.Target(text)
	}
	return t.lastTo
}

// plainTargets are those of a list.
func plainTargets(value []byte) (to Targets, plain bool) {
	if value[0] != '[' {
		return nil, false
	}
	for element := range jsontext.Elements(value) {
		one, plain := jsontext.Plain(element)
		if !plain || len(one) == 0 || len(to) == push.MaxTargets {
			return nil, false
		}
		to = append(to, push.Target(one))
	}
	return to, len(to) > 0
}

// plainNumber is a whole number that is not negative.
func plainNumber(value []byte) (n int, plain bool) {
	if len(value) > 9 || value[0] == '-' {
		return 0, false
	}
	n, err := strconv.Atoi(string(value))
	return n, err == nil
}
