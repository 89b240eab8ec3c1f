package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/push"
)

// friends lets nobody into other rooms than those of friends.
func friends(q question) string {
	switch {
	case q.Ask != "subscribe" || q.UID == "":
		return `{}`
	case strings.HasPrefix(q.Channel, "away:"):
		return ""
	case strings.HasPrefix(q.Channel, "friends:"):
		return `{"allow":true}`
	}
	return `{"allow":false,"why":"` + q.UID + ` is no friend"}`
}

// TestSubscribeHook asks an application about the channels that neither namespace nor token allows.
func TestSubscribeHook(t *testing.T) {
	app := startApplication(t, friends)
	c := app.decides("subscribe")
	c.Namespaces["open"] = config.Namespace{Subscribe: "all"}
	c.Namespaces["shut"] = config.Namespace{Subscribe: "none"}
	r := start(t, c, server.Options{Credentials: openQuick(secret)})
	b := r.backend()
	p := r.live(t)
	p.hello(`,"token":"secret-ann","sub":{"chat:1":"","open:1":"","friends:1":"","shut:1":""}`)
	p.Receive() // its uid
	p.Receive() // its group
	p.is(nil, `{"op":"sub","ch":"chat:1"}`, `{"op":"sub","ch":"open:1"}`,
		`{"op":"err","ch":"shut:1","code":403,"msg":"it may not subscribe to it"}`,
		`{"op":"sub","ch":"friends:1"}`)
	p.Send(`[{"op":"sub","id":1,"ch":"friends:2"},{"op":"sub","id":2,"ch":"friends:2"}]`)
	p.is(nil, `{"op":"err","id":2,"ch":"friends:2","code":409,"msg":"the same is under way"}`,
		`{"op":"sub","id":1,"ch":"friends:2"}`)
	p.Send(`{"op":"sub","id":3,"ch":"room:1"}`)
	p.is(nil, `{"op":"err","id":3,"ch":"room:1","code":403,"msg":"ann is no friend"}`)
	p.Send(`{"op":"sub","id":4,"ch":"away:1"}`)
	p.is(nil, `{"op":"err","id":4,"ch":"away:1","code":503,"msg":"the application has not decided: come later"}`)
	r.counts(b, "friends:2", 1)
	r.counts(b, "room:1", 0)
	for _, q := range app.questions() {
		if q.UID != "ann" || strings.HasPrefix(q.Channel, "open") || strings.HasPrefix(q.Channel, "chat") ||
			strings.HasPrefix(q.Channel, "shut") {
			t.Errorf("asked about %+v", q)
		}
	}

	many := r.live(t) // more than are asked about at a time
	many.hello(`,"token":"secret-eve","sub":{}`)
	for i := range 30 {
		many.Send(fmt.Sprintf(`{"op":"sub","id":%d,"ch":"friends:%d"}`, i+1, 10+i))
	}
	for i := 10; i < 40; i++ {
		r.counts(b, push.Channel(fmt.Sprint("friends:", i)), 1)
	}

	r.visit("token=secret-bob&sub=chat:1,friends:77,friends:78")
	r.counts(b, "friends:77", 1)
	r.counts(b, "friends:78", 1)
	closed(t, r.visit("token=secret-bob&sub=chat:1,room:1,friends:79"), 4003, "bob is no friend")
	closed(t, r.visit("token=secret-bob&sub=shut:1"), 4003, `it may not subscribe to "shut:1"`)
	closed(t, r.visit("token=secret-bob&sub=away:1"), 4105, "the application has not told what it may")
	r.counts(b, "friends:79", 0)

	events := r.ask(t, "token=secret-sse&sub=room:5", "")
	events.welcome("sse")
	events.event() // its group
	events.is(nil, `{"op":"err","ch":"room:5","code":403,"msg":"sse is no friend"}`)
}

// TestSubscribeHookGivenUp forgets a question about a channel that a page has given up, or when it has gone.
func TestSubscribeHookGivenUp(t *testing.T) {
	asked, answer := make(chan question), make(chan string)
	app := startApplication(t, func(q question) string { asked <- q; return <-answer })
	r := start(t, app.decides("subscribe"), server.Options{Credentials: openQuick(secret)})
	b := r.backend()
	p := r.live(t)
	p.hello(`,"token":"secret-ann","sub":{}`)
	p.Receive() // its uid
	p.Receive() // its group
	p.Send(`{"op":"sub","id":1,"ch":"room:1"}`)
	<-asked
	p.Send(`{"op":"unsub","id":2,"ch":"room:1"}`)
	p.is(nil, `{"op":"unsub","id":2,"ch":"room:1"}`)
	answer <- `{"allow":true}`
	p.Send(`{"op":"sub","id":3,"ch":"room:2"}`)
	<-asked
	r.counts(b, "room:1", 0)
	p.Reset()
	r.counts(b, "u:ann", 0)
	answer <- `{"allow":true}`
	r.visit("token=secret-bob&sub=room:3")
	<-asked
	answer <- `{"allow":true}`
	r.known(b, "bob")
	r.counts(b, "room:2", 0)
}

// judge decides about what pages publish, and answers them.
func judge(q question) string {
	switch {
	case q.Ask == "connect":
		return `{"uid":"ann","channels":["chat:*"],"publish":["chat:1"],"session":{"name":"Ann"}}`
	case q.Ask == "rpc" && q.Method == "name":
		return `{"data":` + string(q.Session) + `}`
	case q.Ask == "rpc":
		return `{"error":"sold out","code":410}`
	case string(q.Data) == `"away"`:
		return ""
	case string(q.Data) == `"loud"`:
		return `{"allow":false,"why":"too loud"}`
	case string(q.Data) == `"done"`:
		return `{"allow":true,"skip":true}`
	}
	return `{"allow":true,"data":{"from":"` + q.UID + `","said":` + string(q.Data) + `}}`
}

// TestPublishHook has an application decide what pages publish, and answer what they call. Where it is away, namespace
// and token decide if settings say so.
func TestPublishHook(t *testing.T) {
	app := startApplication(t, judge)
	c := app.decides("connect", "publish", "rpc")
	h := c.Hooks["app"]
	h.Away = "allow"
	c.Hooks["app"] = h
	c.Namespaces["chat"] = config.Namespace{Subscribe: "token", Publish: "token", PublishRate: 1000}
	r := start(t, c, server.Options{})
	p := r.live(t)
	p.hello(`,"sub":{"chat:1":"","chat:2":""}`)
	p.Receive() // its uid
	p.Receive()
	p.Receive()
	for _, c := range []struct{ say, want string }{
		{`"op":"pub","ch":"chat:1","data":"hi"`, `{"op":"msg","ch":"chat:1","data":{"from":"ann","said":"hi"}}`},
		{`"op":"pub","ch":"chat:2","data":"hi"`, `{"op":"msg","ch":"chat:2","data":{"from":"ann","said":"hi"}}`},
		{`"op":"pub","ch":"chat:1","data":"away"`, `{"op":"msg","ch":"chat:1","data":"away"}`},
		{`"op":"pub","id":1,"ch":"chat:2","data":"away"`, `{"op":"err","id":1,"ch":"chat:2","code":503,` +
			`"msg":"the application has not decided: come later"}`},
		{`"op":"pub","id":2,"ch":"chat:1","data":"loud"`,
			`{"op":"err","id":2,"ch":"chat:1","code":403,"msg":"too loud"}`},
		{`"op":"pub","id":3,"ch":"chat:1","data":"done"`, `{"op":"pub","id":3,"ch":"chat:1"}`},
		{`"op":"rpc","id":4,"method":"name","data":1`, `{"op":"rpc","id":4,"data":{"name":"Ann"}}`},
		{`"op":"rpc","id":5,"method":"buy","data":1`, `{"op":"err","id":5,"code":410,"msg":"sold out"}`},
	} {
		p.Send("{" + c.say + "}")
		p.is(nil, c.want)
	}
}
