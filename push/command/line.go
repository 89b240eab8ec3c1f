package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/internal/jsontext"
	"github.com/lineman-go/lineman/push"
)

// Line does what a line of a back end asks, and calls done with the answer, which is a line too, perhaps before it
// returns. A JSON object with "cmd" is a Request, and the answer is its Reply. Any other object is sent as it is, byte
// by byte, to the connections of its "uid", or to all if it has "all":true. Then the answer is
//
//	ok        a connection has accepted it
//	fail      there is none
//	error: …  nothing was sent: the line is wrong, other nodes cannot be reached now, or this one is stopping
//
// The line is on loan until Line returns, and so is an answer until done returns. The result is that of Do.
func (t *Table[C]) Line(line []byte, by Caller, done func(answer []byte)) (changing bool) {
	defer t.parsed.Forget()
	o, err := parseObject(line, &t.parsed)
	switch {
	case err != nil:
	case o.has("cmd"):
		return t.do(o, "", by, func(r Reply) { done(r.JSON()) })
	default:
		err = t.pass(o, by, done)
	}
	if err != nil {
		t.refuse(&Request{by: by}, err)
		done(t.lineError(err))
	}
	return false
}

// pass publishes a line as it is.
func (t *Table[C]) pass(o object, by Caller, done func(answer []byte)) error {
	to, err := lineTarget(o)
	if err != nil {
		return err
	}
	t.to[0] = to
	if err := by.Permit.check(Publish, t.to[:]); err != nil {
		return err
	}
	err = t.hub.Publish(push.Message[C]{To: t.to[:], Data: o.Text, From: by.From}, func(out push.Outcome) {
		switch {
		case out.Reached > 0:
			done(ok)
		case out.Err != nil && !errors.Is(out.Err, push.ErrUnanswered):
			done(t.lineError(out.Err))
		default:
			done(fail)
		}
	})
	if err != nil { // the Hub has told the debug log
		done(t.lineError(err))
	}
	return nil
}

// The answers to plain lines that are right. Immutable.
var ok, fail = []byte("ok"), []byte("fail")

// lineTarget is whom a plain line is for.
func lineTarget(o object) (push.Target, error) {
	var all, one []byte
	for i := range o.Len() {
		name, value := o.Name(i), o.Value(i)
		of := &all
		switch string(name) {
		case "all":
		case "uid":
			of = &one
		default:
			continue
		}
		if *of != nil { // which of them counts, the page may see otherwise
			return "", invalid("%q comes twice", name)
		}
		*of = value
	}
	switch {
	case all != nil && string(all) != "true":
		return "", invalid(`"all" must be true`)
	case all != nil && one != nil:
		return "", invalid(`"uid" and "all" in one line`)
	case all != nil:
		return push.Everyone, nil
	case one == nil:
		return "", noTarget(o)
	}
	if inside, plain := jsontext.Plain(one); plain {
		return push.Target(append(append(make([]byte, 0, 64), "u:"...), inside...)), nil
	}
	if hasHalfPair(one) {
		return "", halfPair("uid")
	}
	uid, err := parseUID(one)
	return push.UID(uid), err
}

// noTarget is the error of a line without "uid" and "all". It says what the line may have meant.
func noTarget(o object) error {
	for name := range o.fields() {
		switch field := string(name); {
		case strings.EqualFold(field, "uid"), strings.EqualFold(field, "cmd"), strings.EqualFold(field, "all"):
			return invalid("no \"uid\": %q is written %q", field, strings.ToLower(field))
		case slices.Contains([]string{"to", "group", "channel", "uids"}, field):
			return invalid("no \"uid\": a command that has %q says which it is: {\"cmd\":\"pub\",…}", field)
		}
	}
	return invalid(`no "uid"`)
}

// MaxAuthLine is how long a line may be that says a key: longer ones are not looked through for one.
const MaxAuthLine = 8 << 10

// AuthKey is the key of a line that says who the back end is: {"cmd":"auth","key":"…"}; empty if it has none, or
// several.
func AuthKey(line []byte) (key string, says bool) {
	if len(line) > MaxAuthLine || !bytes.Contains(line, []byte(`"auth"`)) {
		return "", false
	}
	o, err := parseObject(line, &jsontext.Object{})
	if err != nil {
		return "", false
	}
	commands, keys := 0, 0
	for name, value := range o.fields() {
		switch string(name) {
		case "cmd":
			commands++
			says = string(value) == `"auth"`
		case "key":
			keys++
			_ = json.Unmarshal(value, &key) // what is no string is no key
		}
	}
	switch says = says && commands == 1; {
	case !says:
		return "", false
	case keys != 1:
		return "", true
	}
	return key, true
}

// lineError is the answer to a line that is wrong.
func (t *Table[C]) lineError(err error) []byte { return []byte("error: " + t.failed(err).Error.Text) }
