package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// TestPresence has pages be told who is in a channel with them, who comes, and what the back end says of each.
func TestPresence(t *testing.T) {
	c := devMode()
	c.Dev = false
	c.Namespaces["room"] = config.Namespace{Subscribe: "all", Presence: "events", MaxPresent: 3}
	c.Namespaces["hall"] = config.Namespace{Subscribe: "all", Presence: "list", MaxPresent: 3}
	c.Namespaces["chat"] = config.Namespace{Subscribe: "all"}
	verify := func(_ context.Context, uid string) (server.Identity, error) {
		info := json.RawMessage(fmt.Sprintf(`{ "name": %q }`, uid))
		return server.Identity{UID: strings.ToLower(uid), Info: info}, nil
	}
	r := start(t, c, server.Options{Credentials: open(verify)})
	b := r.backend()
	enter := func(uid, channel string) livePage {
		t.Helper()
		p := r.live(t)
		p.hello(`,"token":"` + uid + `","sub":{"` + channel + `":""}`)
		p.is(nil, `{"op":"sub","ch":"u:`+strings.ToLower(uid)+`"}`, `{"op":"sub","ch":"`+channel+`"}`)
		return p
	}
	ann := enter("Ann", "room:1")
	ann.is(nil, `{"op":"join","ch":"room:1","uid":"ann","info":{"name":"Ann"},"n":1}`)
	bob := enter("Bob", "room:1")
	joined := `{"op":"join","ch":"room:1","uid":"bob","info":{"name":"Bob"},"n":2}`
	ann.is(nil, joined)
	bob.is(nil, joined)
	for _, p := range []livePage{ann, bob} {
		p.Send(`{"op":"presence","id":6,"ch":"room:1"}`)
		p.is(nil, `{"op":"presence","id":6,"ch":"room:1","n":2,"users":{"ann":{"name":"Ann"},"bob":{"name":"Bob"}}}`)
	}
	enter("Bob", "room:1") // another tab
	ask(b, `{"cmd":"session","to":"u:bob","data":{"info":"busy","secret":1}}`)
	ann.is(nil, `{"op":"join","ch":"room:1","uid":"bob","info":"busy","n":2}`)
	bob.is(nil, `{"op":"join","ch":"room:1","uid":"bob","info":"busy","n":2}`)

	plain := r.visit("sub=room:1")
	plain.Send("Carl")
	ann.is(nil, `{"op":"join","ch":"room:1","uid":"carl","info":{"name":"Carl"},"n":3}`)
	dan := enter("Dan", "room:1")
	for _, p := range []livePage{ann, dan} {
		p.is(nil, `{"op":"presence","ch":"room:1","n":4,"more":true}`)
	}
	dan.Send(`{"op":"presence","id":7,"ch":"room:1"}`)
	dan.is(nil, `{"op":"presence","id":7,"ch":"room:1","n":4,"more":true}`)
	if got := ask(b, `{"cmd":"presence","to":"room:1"}`); got != `{"ok":true,"n":4,"more":true}` {
		t.Errorf("the command is answered %s", got)
	}

	eve := enter("Eve", "hall:1")
	eve.Send(`[{"op":"presence","id":1,"ch":"room:1"},{"op":"sub","ch":"chat:1"},` +
		`{"op":"presence","id":2,"ch":"chat:1"},` +
		`{"op":"presence","id":3,"ch":"u:eve"},{"op":"presence","id":4,"ch":"hall:1"}]`)
	eve.is(nil,
		`{"op":"err","id":1,"ch":"room:1","code":403,"msg":"it has not subscribed to it"}`,
		`{"op":"sub","ch":"chat:1"}`,
		`{"op":"err","id":2,"ch":"chat:1","code":404,"msg":"push: presence is off in \"chat:1\""}`,
		`{"op":"err","id":3,"ch":"u:eve","code":404,"msg":"push: presence is off in \"u:eve\""}`,
		`{"op":"presence","id":4,"ch":"hall:1","n":1,"users":{"eve":{"name":"Eve"}}}`)
	if got := ask(b, `{"cmd":"presence_stats"}`); got !=
		`{"ok":true,"stats":{"channels":2,"users":5,"connections":6}}` {
		t.Errorf("the stats are %s", got)
	}
	if got := ask(b, `{"cmd":"presence","to":"chat:1"}`); !strings.Contains(got, "presence of its namespace") {
		t.Errorf("without presence the command is answered %s", got)
	}
}

// TestPresenceReload has a page that is loaded again be no event, and one that has gone be told of after a while.
func TestPresenceReload(t *testing.T) {
	t.Parallel()
	c := chats(10)
	c.Namespaces["room"] = config.Namespace{Subscribe: "all", Presence: "events", MaxPresent: 10}
	r := start(t, c, server.Options{})
	enter := func(uid string) livePage {
		p := r.live(t)
		p.hello(`,"token":"` + uid + `","sub":{"room:1":""}`)
		linemantest.Until(t, "it has not joined", func() bool { return strings.Contains(p.Receive(), `"ch":"room:1"`) })
		return p
	}
	ann := enter("ann")
	ann.Receive() // itself
	bob := enter("bob")
	ann.is(nil, `{"op":"join","ch":"room:1","uid":"bob","n":2}`)
	bob.Close()
	bob = enter("bob")
	enter("eve")
	ann.is(nil, `{"op":"join","ch":"room:1","uid":"eve","n":3}`)
	bob.Close()
	ann.is(nil, `{"op":"leave","ch":"room:1","uid":"bob","n":2}`) // seconds later
}

// TestPresenceStream has a stream, which cannot ask, be told who is there when it begins, and then who comes. It stands
// where it stood in the history of the channel.
func TestPresenceStream(t *testing.T) {
	c := quietChats(3)
	c.Namespaces["room"] = config.Namespace{
		Subscribe: "all", Presence: "events", MaxPresent: 3, History: config.Retention{Size: 3},
	}
	r := start(t, c, server.Options{})
	b := r.backend()
	st := r.ask(t, "token=ann&sub=room:1", "")
	st.welcome("ann")
	at := pub(t, b, "room:1", "m1")
	id := "room:1=" + at
	for i, want := range []string{
		`{"op":"sub","ch":"room:1",`, `{"op":"join","ch":"room:1","uid":"ann","n":1}`,
		`{"op":"presence","ch":"room:1","n":1,"users":{"ann":null}}`, `{"op":"msg","ch":"room:1",`,
	} {
		if got := st.event(); !strings.HasPrefix(got, want) || i == 3 && st.lastID != id {
			t.Errorf("it is told %s, id %q, want %s", got, st.lastID, want)
		}
	}
	p := r.live(t)
	p.hello(`,"token":"bob","sub":{"room:1":""}`)
	if got := st.event(); got != `{"op":"join","ch":"room:1","uid":"bob","n":2}` || st.lastID != id {
		t.Errorf("it is told %s, id %q, want %q", got, st.lastID, id)
	}
	quiet := r.ask(t, "token=eve&sub=chat:7", "")
	quiet.welcome("eve")
	quiet.event()
	pub(t, b, "chat:7", "m1")
	if got := quiet.event(); !strings.HasPrefix(got, `{"op":"msg"`) {
		t.Errorf("without presence it is told %s", got)
	}
}
