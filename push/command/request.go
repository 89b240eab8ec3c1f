package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Request is what a back end asks for: a JSON object. A command takes the fields that its row in the table names, and
// Cmd and ID.
type Request struct {
	Cmd string `json:"cmd"`
	// one that was asked with the same ID within five minutes is answered as it was then, unless its command only tells
	ID      string          `json:"id"`
	To      Targets         `json:"to"`
	Data    json.RawMessage `json:"data"`
	Text    *string         `json:"text"`
	Except  push.Target     `json:"except"`
	UID     UID             `json:"uid"`
	UIDs    []UID           `json:"uids"`
	Group   string          `json:"group"`
	Channel string          `json:"channel"`
	Code    int             `json:"code"`
	Reason  string          `json:"reason"`
	// milliseconds that a publication may wait for other nodes, or for connections that come back
	Wait  int           `json:"wait"`
	Since push.Position `json:"since"`
	Limit *int          `json:"limit"` // messages of a history, at most; nil means defaultLimit

	Events  []string `json:"events"`
	Of      []string `json:"of"`     // patterns of targets that events are about; nil means all
	Window  int      `json:"window"` // events that were not acknowledged, at most
	Observe bool     `json:"observe"`
	N       uint64   `json:"n"`
	Call    string   `json:"call"`
	Failure *string  `json:"error"`

	by   Caller
	text []byte // Text as it lies in the request, where that is written plainly; Text is nil then
}

// maxID is how long a Request.ID may be, in bytes.
const maxID = 255

// Targets are one target, or a list of them.
type Targets []push.Target

// UnmarshalJSON reads them.
func (t *Targets) UnmarshalJSON(b []byte) error {
	var one push.Target
	if b[0] == '"' && json.Unmarshal(b, &one) == nil {
		*t = Targets{one}
		return nil
	}
	var all []push.Target
	if err := json.Unmarshal(b, &all); err != nil || b[0] != '[' || slices.Contains(all, "") {
		return errors.New(`"to" must be a target, or a list of them`)
	}
	*t = all
	return nil
}

// UID is a uid as back ends write it: a string, or an integer. 7 and "7" are the same.
type UID string

// UnmarshalJSON reads it.
func (u *UID) UnmarshalJSON(b []byte) error {
	uid, err := parseUID(b)
	*u = UID(uid)
	return err
}

func parseUID(raw []byte) (string, error) {
	if inside, plain := jsontext.Plain(raw); plain {
		return string(inside), nil
	}
	var uid string
	if raw[0] == '"' && json.Unmarshal(raw, &uid) == nil {
		return uid, nil
	}
	n, ok := new(big.Int).SetString(string(raw[:min(len(raw), push.MaxName+1)]), 10)
	if !ok {
		return "", errors.New(`a uid must be a string or an integer`)
	}
	return n.String(), nil
}

// parse reads a request, and refuses fields that its command does not take. cmd is that of an HTTP request's path;
// empty if the object has it. What parse returns may hold parts of o.
func (t *Table[C]) parse(o object, cmd string) (*Request, *row[C], error) {
	if q, r := t.parsePlain(o, cmd); r != nil {
		return q, r, nil
	}
	return t.parseAny(o, cmd)
}

// parseAny is parse of any object.
func (t *Table[C]) parseAny(o object, cmd string) (*Request, *row[C], error) {
	if err := checkExtent(o); err != nil {
		return nil, nil, err
	}
	q := &Request{}
	if err := json.Unmarshal(o.Text, q); err != nil {
		return nil, nil, describe(err)
	}
	if cmd != "" {
		if q.Cmd != "" && q.Cmd != cmd {
			return nil, nil, invalid("%q in the path and %q in the object", cmd, q.Cmd)
		}
		q.Cmd = cmd
	}
	r, known := t.rows[q.Cmd]
	if !known {
		return nil, nil, &Error{
			Code: UnknownCommand,
			Text: fmt.Sprintf("unknown command %.40q: want one of %s", q.Cmd, strings.Join(t.Names(), ", ")),
		}
	}
	var seen []string
	for field, value := range o.fields() {
		if slices.Contains(seen, string(field)) { // which of them counts, others that look at it may see otherwise
			return nil, nil, invalid("%.40q comes twice", field)
		}
		seen = append(seen, string(field))
		if !r.takes(string(field)) {
			return nil, nil, invalid("%s takes no %.40q: it takes %s", q.Cmd, field,
				strings.Join(append(slices.Clone(r.fields), "id"), ", "))
		}
		if string(field) != "data" && hasHalfPair(value) {
			return nil, nil, halfPair(string(field))
		}
	}
	for _, field := range r.needs {
		if v := o.get(field); v == nil || string(v) == "null" && field != "data" {
			return nil, nil, invalid("%s wants %q", q.Cmd, field)
		}
	}
	if len(q.ID) > maxID {
		return nil, nil, invalid(`"id" has at most %d bytes`, maxID)
	}
	return q, r, nil
}

// maxFields is how many fields an object may have: more than any command takes.
const maxFields = 32

// checkExtent refuses a request that would take long to decode, before it is decoded: the loop does nothing else
// meanwhile.
func checkExtent(o object) error {
	fields := 0
	for name, value := range o.fields() {
		if fields++; fields > maxFields {
			return invalid("more than %d fields", maxFields)
		}
		if string(name) == "data" {
			continue
		}
		if n := elements(value); n > push.MaxTargets {
			return invalid("%d targets: at most %d are allowed at once", n, push.MaxTargets)
		}
	}
	return nil
}

// describe says what of a request has a wrong type.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return invalid("%q must be %s", wrong.Field, describeType(wrong.Type))
	}
	return invalid("%s", strings.TrimPrefix(err.Error(), "push: "))
}

// describeType names the type of a field for who writes JSON.
func describeType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "a string"
}
