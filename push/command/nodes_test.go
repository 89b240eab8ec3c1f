package command_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// others are nodes that answer with an error, or late.
type others struct {
	err   error // of what is asked of them
	later []func()
}

func (o *others) Join(n push.Node) (push.Link, error) {
	n.Do(func() { n.Linked(true) })
	return o, nil
}

func (o *others) Subscribe(_ []push.Target, done func(error)) { done(nil) }
func (o *others) Unsubscribe([]push.Target)                   {}
func (o *others) Close()                                      {}

func (o *others) Publish(_ []push.Target, _ push.Publication, done func(push.Receipt, error)) {
	done(push.Receipt{}, o.err)
}

func (o *others) History(_ push.Target, _ push.Range, done func(push.History, error)) {
	done(push.History{}, o.err)
}

func (o *others) Forget(_ []push.Target, done func(error)) { done(o.err) }

func (o *others) Enter(push.Target, string, json.RawMessage) {}
func (o *others) Leave(push.Target, string)                  {}

func (o *others) Present(_ push.Target, _ int, done func(push.Presence, error)) {
	done(push.Presence{}, o.err)
}

func (o *others) CountPresent(_ []push.Target, done func([]int, error)) { done(nil, o.err) }

func (o *others) PresenceStats(done func(push.PresenceStats, error)) {
	done(push.PresenceStats{Channels: 1, Users: 2}, nil)
}

func (o *others) Ask(_ []push.Target, _ []byte, done func([][]byte, error)) {
	if o.err != nil {
		done([][]byte{[]byte(`{"n":2,"counts":[2]}`)}, o.err)
		return
	}
	o.later = append(o.later, func() { done([][]byte{[]byte(`{"n":1}`), []byte(`{"n":2}`)}, nil) })
}

// TestAway says what is not known, or not done, when other nodes do not answer or cannot be reached.
func TestAway(t *testing.T) {
	for _, c := range []struct {
		err          error
		line, answer string
	}{
		{push.ErrUnlinked, `{"uid":"ann"}`, `error: other nodes cannot be reached now`},
		{push.ErrUnlinked, `{"cmd":"pub","to":"u:ann","data":1}`,
			`{"ok":false,"error":{"code":"unavailable","text":"other nodes cannot be reached now"}}`},
		{push.ErrUnlinked, `{"cmd":"count","to":"u:ann"}`,
			`{"ok":false,"error":{"code":"unavailable","text":"other nodes cannot be reached now"}}`},
		{push.ErrUnlinked, `{"cmd":"history","to":"chat:7"}`,
			`{"ok":false,"error":{"code":"unavailable","text":"other nodes cannot be reached now"}}`},
		{push.ErrUnlinked, `{"cmd":"forget","to":"chat:7"}`,
			`{"ok":false,"error":{"code":"unavailable","text":"other nodes cannot be reached now"}}`},
		{push.ErrUnanswered, `{"cmd":"history","to":"chat:7"}`,
			`{"ok":false,"error":{"code":"unavailable","text":"some nodes have not answered in time"}}`},
		{push.ErrUnanswered, `{"cmd":"presence","to":"room:1"}`,
			`{"ok":false,"error":{"code":"unavailable","text":"some nodes have not answered in time"}}`},
		{push.ErrUnlinked, `{"cmd":"presence_count","to":"room:1"}`,
			`{"ok":false,"error":{"code":"unavailable","text":"other nodes cannot be reached now"}}`},
		{push.ErrUnlinked, `{"cmd":"presence_stats"}`,
			`{"ok":false,"error":{"code":"unavailable","text":"other nodes cannot be reached now"}}`},
		{push.ErrUnanswered, `{"cmd":"presence_stats"}`,
			`{"ok":true,"stats":{"channels":1,"users":2,"connections":2},"incomplete":true}`},
		{push.ErrUnanswered, `{"uid":"ann"}`, `fail`},
		{push.ErrUnanswered, `{"cmd":"pub","to":"u:ann","data":1}`, `{"ok":true,"n":0,"incomplete":true}`},
		{push.ErrUnanswered, `{"cmd":"count","to":"u:ann"}`, `{"ok":true,"counts":{"u:ann":2},"incomplete":true}`},
		{push.ErrUnanswered, `{"cmd":"count","to":["u:ann","u:bob"]}`,
			`{"ok":true,"counts":{"u:ann":2,"u:bob":0},"incomplete":true}`},
		{push.ErrUnanswered, `{"cmd":"kick","to":"u:ann"}`, `{"ok":true,"n":2,"incomplete":true}`},
	} {
		b := newBenchOver(t, &others{err: c.err})
		if got := b.ask(c.line, nil); got != c.answer {
			t.Errorf("%s, %v: %s, want %s", c.line, c.err, got, c.answer)
		}
	}
}

// TestRevokeUnsure says of a revocation whose end is not known that it may have taken effect, and of one that other
// nodes could not be told of that connections may still be there.
func TestRevokeUnsure(t *testing.T) {
	b := newBenchOver(t, &others{err: push.ErrUnlinked})
	const line = `{"cmd":"revoke","uid":"ann"}`
	want := `{"ok":false,"error":{"code":"unavailable","text":"the credentials are refused now, but connections may ` +
		`still be there: revoke again: other nodes cannot be reached now"}}`
	if got := b.ask(line, nil); got != want {
		t.Errorf("kept: %s, want %s", got, want)
	}
	b.unkept = errors.New("no answer in time")
	want = `{"ok":false,"error":{"code":"unavailable","text":"it is not sure that this was kept, though it may have ` +
		`taken effect: revoke again: no answer in time"}}`
	if got := b.ask(line, nil); got != want {
		t.Errorf("not sure: %s, want %s", got, want)
	}
}

// TestAskedAgain does a request again that could not be done, and no other.
func TestAskedAgain(t *testing.T) {
	o := &others{err: push.ErrUnlinked}
	b := newBenchOver(t, o)
	line := `{"cmd":"pub","to":"u:ann","data":1,"id":"order-9"}`
	for _, step := range []struct {
		err  error
		want string
	}{
		{push.ErrUnlinked, `{"ok":false,"error":{"code":"unavailable","text":"other nodes cannot be reached now"}}`},
		{push.ErrUnanswered, `{"ok":true,"n":0,"incomplete":true}`},
		{nil, `{"ok":true,"n":0,"incomplete":true}`},
	} {
		if o.err = step.err; b.ask(line, nil) != step.want {
			t.Errorf("%v: %s, want %s", step.err, b.ask(line, nil), step.want)
		}
	}
}

// TestChanging tells that what comes behind a change has to wait for its answer, and that of nothing else.
func TestChanging(t *testing.T) {
	o := &others{}
	b := newBenchOver(t, o)
	for line, want := range map[string]bool{
		`{"cmd":"join","to":"u:ann","group":"room"}`: true, `{"cmd":"kick","to":"u:ann"}`: true,
		`{"cmd":"history","to":"chat:7"}`: false, `{"cmd":"count","to":"u:ann"}`: false,
		`{"cmd":"pub","to":"u:ann","data":1}`: false, `{"uid":"ann"}`: false,
		`{"cmd":"join"}`: false,
	} {
		answers := 0
		if got := b.Line([]byte(line), command.Caller{}, func([]byte) { answers++ }); got != want {
			t.Errorf("%s: %v", line, got)
		}
		for _, f := range o.later {
			f()
		}
		o.later = nil
		if answers != 1 {
			t.Errorf("%s has %d answers", line, answers)
		}
	}
}

// TestStopping says why nothing is done any more, and names no other nodes where there are none.
func TestStopping(t *testing.T) {
	for name, broker := range map[string]push.Broker{"alone": nil, "with others": push.NewMemory()} {
		b := newBenchOver(t, broker)
		b.hub.Close()
		for line, want := range map[string]string{
			`{"uid":"ann"}`: `error: this server is stopping: ask again`,
			`{"cmd":"pub","to":"u:ann","text":"x"}`: `{"ok":false,"error":{"code":"unavailable","text":"this server ` +
				`is stopping: ask again"}}`,
		} {
			if got := b.ask(line, nil); got != want {
				t.Errorf("%s: %s: %s, want %s", name, line, got, want)
			}
		}
	}
}

// TestLongAnswers has what only tells answer at most 4 MiB on a server alone too.
func TestLongAnswers(t *testing.T) {
	session := `"` + strings.Repeat("x", 4000) + `"`
	alone := newBench(t)
	for n := range 1200 {
		_, id := alone.add("ann")
		if n < 1000 {
			line := `{"cmd":"session","to":"` + string(id) + `","data":` + session + `}`
			alone.Line([]byte(line), command.Caller{}, func([]byte) {})
		}
	}
	if got := alone.ask(`{"cmd":"sessions","to":"*"}`, nil); !strings.HasPrefix(got, `{"ok":true,"sessions":`) ||
		len(got) > push.MaxAnswer {
		t.Errorf("within the bound: %.200s", got)
	}
	alone.Line([]byte(`{"cmd":"session","to":"*","data":`+session+`}`), command.Caller{}, func([]byte) {})
	if got := alone.ask(`{"cmd":"sessions","to":"*"}`, nil); !strings.Contains(got, `"too_many"`) ||
		!strings.Contains(got, "more than 4 MiB: ask about fewer") {
		t.Errorf("above the bound: %.200s", got)
	}
	uid := strings.Repeat("<", 255) // which JSON writes as six bytes each
	uids := `"` + uid + `"`
	for n := range 4000 {
		uids += fmt.Sprintf(`,"%s%d"`, uid[:250], n)
	}
	if got := alone.ask(`{"cmd":"online","uids":[`+uids+`]}`, nil); !strings.Contains(got, `"too_many"`) {
		t.Errorf("above the bound by escapes: %d bytes, %.200s", len(got), got)
	}
}
