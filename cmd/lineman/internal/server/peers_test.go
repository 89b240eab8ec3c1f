package server_test

import (
	"fmt"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// A listener at one process hears of the pages of another, and answers them.
func TestListenElsewhere(t *testing.T) {
	c := devMode()
	broker := push.NewMemory()
	first, second := start(t, c, server.Options{Broker: broker}), start(t, c, server.Options{Broker: broker})
	l := second.listening(`{"cmd":"listen","events":["message","rpc","close","join"]}`)
	p := first.live(t)
	p.hello(`,"id":1,"token":"ann"`)
	p.is(nil, `{"op":"sub","ch":"u:ann"}`)
	next := func(want events.Kind) heard {
		t.Helper()
		for {
			e := hear(t, l)
			l.Write(fmt.Sprintf(`{"cmd":"ack","n":%d}`+"\n", e.N))
			if e.Type == want {
				return e
			}
		}
	}
	p.Send(`{"op":"say","id":2,"data":{"a":"<b>"}}`)
	if e := next(events.Message); string(e.Data) != `{"a":"<b>"}` || e.UID != "ann" || e.Again {
		t.Errorf("heard %+v", e)
	}
	p.is(nil, `{"op":"say","id":2}`)
	p.Send(`{"op":"rpc","id":3,"method":"sum","data":[1,2]}`)
	if got := ask(l, `{"cmd":"reply","call":"`+next(events.RPC).Call+`","data":3}`); got != `{"ok":true}` {
		t.Errorf("reply: %s", got)
	}
	p.is(nil, `{"op":"rpc","id":3,"data":3}`)
	p.Goodbye(1000, "")
	if e := next(events.Close); e.UID != "ann" || e.Code != 1000 {
		t.Errorf("heard %+v", e)
	}
}
