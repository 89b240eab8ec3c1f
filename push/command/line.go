package command

import (
	"errors"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// Line does what a line of a back end asks, and calls done with the answer, a line too, perhaps before it returns. A JSON object with
// "cmd" is a Request, and the answer its Reply. Any other goes as it is, byte by byte, to the connections of its "uid", or to all if it
// has "all":true; the answer is
//
//	ok        a connection has accepted it
//	fail      there is none
//	error: …  the line is wrong, and nothing was sent
func (t *Table[C]) Line(line []byte, p *Permit, done func(answer []byte)) {
	o, err := parseObject(line)
	if err != nil {
		done(lineError(err))
		return
	}
	if o.get("cmd") != nil {
		t.Do(line, "", p, func(r Reply) { done(r.JSON()) })
		return
	}
	if err := t.pass(o, p, done); err != nil {
		done(lineError(err))
	}
}

// pass publishes a line as it is.
func (t *Table[C]) pass(o object, p *Permit, done func(answer []byte)) error {
	to, err := lineTarget(o)
	if err != nil {
		return err
	}
	about := []push.Target{to}
	if err := p.check(Publish, about); err != nil {
		return err
	}
	return t.hub.Publish(push.Message[C]{To: about, Data: slices.Clone(o)}, func(o push.Outcome) {
		if o.Err != nil || o.Reached == 0 {
			done([]byte("fail"))
			return
		}
		done([]byte("ok"))
	})
}

// lineTarget is whom a plain line is for.
func lineTarget(o object) (push.Target, error) {
	var all, one []byte
	for name, value := range o.fields() {
		switch name {
		case "all":
			all = value
		case "uid":
			one = value
		}
	}
	switch {
	case all != nil && string(all) != "true":
		return "", invalid(`"all" must be true`)
	case all != nil && one != nil:
		return "", invalid(`"uid" and "all" in one line`)
	case all != nil:
		return push.Everyone, nil
	case one == nil:
		return "", invalid(`no "uid"`)
	}
	uid, err := parseUID(one)
	return push.UID(uid), err
}

// lineError is the answer to a line that is wrong.
func lineError(err error) []byte {
	text := strings.TrimPrefix(err.Error(), "push: ")
	var e *Error
	if errors.As(err, &e) {
		text = e.Text
	}
	return []byte("error: " + text)
}
