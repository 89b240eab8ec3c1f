package command

import (
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
	has, plain := q.readPlain(o)
	if !plain || cmd != "" && q.Cmd != "" && q.Cmd != cmd || len(q.ID) > maxID {
		return nil, nil
	}
	if cmd != "" {
		q.Cmd = cmd
	}
	r := t.rows[q.Cmd]
	if r == nil || has&^(r.takesPlain|hasCmd|hasID) != 0 || r.needsPlain&^has != 0 {
		return nil, nil
	}
	if !r.drops {
		kept := *q
		q = &kept
	}
	return q, r
}

// readPlain reads the fields of an object, which Data and text stay parts of.
func (q *Request) readPlain(o object) (has fieldSet, plain bool) {
	for name, value := range o.fields() {
		field := plainField(name)
		if has&field != 0 || !q.setPlain(field, value) {
			return 0, false
		}
		has |= field
	}
	return has, true
}

// setPlain sets a field, or reports that its value is not plain.
func (q *Request) setPlain(field fieldSet, value []byte) (plain bool) {
	switch field {
	case hasData:
		q.Data = value
		return true
	case hasTo:
		q.To, plain = plainTargets(value)
		return plain
	case hasWait:
		q.Wait, plain = plainNumber(value)
		return plain
	}
	inside, plain := jsontext.Plain(value)
	if !plain {
		return false
	}
	switch field {
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

// plainTargets are one, or some in a list.
func plainTargets(value []byte) (to Targets, plain bool) {
	if one, plain := jsontext.Plain(value); plain {
		return Targets{push.Target(one)}, true
	}
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
