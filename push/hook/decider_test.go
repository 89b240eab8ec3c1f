package hook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/hook"
)

// TestConnect tells who a page is, or why it is refused.
func TestConnect(t *testing.T) {
	bubble(t, 0, func(d *desk) {
		var got told
		for answer, want := range map[string]string{
			`{"uid":"7"}`: "7", `{"uid":7}`: "7", `{"refuse":"who are you?"}`: "4001 who are you?",
			`{"refuse":"later","code":4105}`: "4105 later", `{}`: "away", `nonsense`: "away",
		} {
			d.answer = say(answer)
			d.Connect(withCookie("1", "a"), got.connect(""))
			d.run(time.Second)
			got.is(t, " "+want)
		}
		d.answer = func(_ context.Context, q string) (string, error) {
			const want = `{"ask":"connect","conn":"c:5f3a.1","remote":"192.0.2.1:4711","level":1,` +
				`"host":"a.example","path":"/p","query":"x=1","origin":"https://a.example",` +
				`"headers":{"cookie":"a=\"b�","user-agent":"x"},"token":"t"}`
			if q != want {
				t.Errorf("asked %s\nwant  %s", q, want)
			}
			return `{"uid":"7","channels":["chat:*"],"publish":["chat:42"],"groups":["staff"],` +
				`"info":{"n":"é"},"session":{"a":1},"expires":9000000000,"x":{}}`, nil
		}
		d.Connect(&hook.Connect{
			Conn: "c:5f3a.1", Remote: "192.0.2.1:4711", Level: 1, Host: "a.example", Path: "/p", Query: "x=1",
			Origin: "https://a.example", Token: "t",
			Headers: []hook.Field{{Name: "cookie", Value: "a=\"b\xff"}, {Name: "user-agent", Value: "x"}},
		}, func(l hook.Login, err error) {
			text, _ := json.Marshal(l)
			const want = `{"UID":"7","Channels":["chat:*"],"Publish":["chat:42"],"Groups":["staff"],` +
				`"Info":{"n":"é"},"Session":{"a":1},"Expires":`
			if err != nil || !strings.HasPrefix(string(text), want) || l.Expires.Unix() != 9000000000 {
				t.Errorf("%s, %v", text, err)
			}
			got = append(got, "all")
		})
		d.run(time.Second)
		got.is(t, "all")
	})
}

// TestConnectKept gives an answer again for as long as it says, to the same question, and to no other.
func TestConnectKept(t *testing.T) {
	bubble(t, 0, func(d *desk) {
		var got told
		n := 0
		d.answer = func(context.Context, string) (string, error) {
			n++
			return fmt.Sprintf(`{"uid":"u%d","cache":60}`, n), nil
		}
		ask := func(q *hook.Connect, want string, questions int) {
			t.Helper()
			d.Connect(q, got.connect(""))
			d.run(time.Millisecond)
			got.is(t, " "+want)
			d.questions(questions)
		}
		ask(withCookie("1", "a"), "u1", 1)
		ask(withCookie("2", "a"), "u1", 0) // another port
		for i, change := range []func(*hook.Connect){
			func(q *hook.Connect) { q.Headers[0].Value = "b" },
			func(q *hook.Connect) { q.Headers[0].Name = "authorization" },
			func(q *hook.Connect) { q.Token = "t" }, func(q *hook.Connect) { q.Query = "x" },
			func(q *hook.Connect) { q.Remote = "192.0.2.2:1" },
			func(q *hook.Connect) { q.Origin = "https://b.example" },
			func(q *hook.Connect) { q.Host = "b" }, func(q *hook.Connect) { q.Path = "/b" },
			func(q *hook.Connect) { q.Level = 1 }, func(q *hook.Connect) { q.UID = "u1" },
			func(q *hook.Connect) { q.Headers = append(q.Headers, hook.Field{Name: "user-agent", Value: "x"}) },
		} {
			q := withCookie("1", "a")
			change(q)
			ask(q, fmt.Sprint("u", 2+i), 1)
		}
		nobody := &hook.Connect{Remote: "192.0.2.1:1", Headers: []hook.Field{{Name: "user-agent", Value: "x"}}}
		ask(nobody, "u13", 1)
		ask(nobody, "u14", 1) // who shows nothing is told from others by nothing

		d.run(59 * time.Second)
		ask(withCookie("1", "a"), "u1", 0)
		d.Forget("u1")
		ask(withCookie("1", "a"), "u15", 1)
		ask(withCookie("1", "b"), "u2", 0) // that of another uid
		d.run(time.Minute)
		ask(withCookie("1", "b"), "u16", 1)

		d.answer = say(fmt.Sprintf(`{"uid":"x","cache":60,"expires":%d}`, time.Now().Unix()+2))
		ask(withCookie("1", "short"), "x", 1)
		d.run(3 * time.Second)
		d.answer = say(`{"uid":"y"}`)
		ask(withCookie("1", "short"), "y", 1)
		d.answer = down
		ask(withCookie("1", "short"), "away", 1) // without cache nothing is kept
	})
}

// TestConnectJoined asks once for pages that ask the same at once, if the answer says that it is for them all.
func TestConnectJoined(t *testing.T) {
	bubble(t, 0, func(d *desk) {
		var got told
		three := func() {
			for _, name := range []string{"1", "2", "3"} {
				d.Connect(withCookie(name, "a"), got.connect(name))
			}
			d.run(time.Millisecond)
			d.questions(1)
			got.is(t)
			d.run(time.Second)
		}
		d.answer = slow(time.Second, `{"uid":"7"}`)
		three()
		got.is(t, "1 7")
		d.questions(2) // for themselves
		d.run(time.Second)
		got.is(t, "2 7", "3 7")
		d.answer = slow(time.Second, `{"uid":"8","cache":1}`)
		three()
		got.is(t, "1 8", "2 8", "3 8")
		if s := d.Stats(); s.Joined != 2 || s.Asked != 4 || s.UnderWay != 0 {
			t.Errorf("%+v", s)
		}

		// What is forgotten while it is asked is not kept, nor given to who comes then.
		d.run(2 * time.Second)
		d.answer = slow(2*time.Second, `{"uid":"9","cache":60}`)
		d.Connect(withCookie("4", "a"), got.connect("4"))
		d.run(time.Millisecond)
		d.Forget("9")
		d.answer = slow(time.Second, `{"uid":"10","cache":60}`)
		d.Connect(withCookie("5", "a"), got.connect("5"))
		d.run(5 * time.Second)
		got.is(t, "4 9", "5 10")
		d.questions(2)
		d.Connect(withCookie("6", "a"), got.connect("6"))
		d.run(time.Millisecond)
		got.is(t, "6 10")
	})
}

// TestSubscribe asks once for all pages of a uid; what pages publish and call is asked each time.
func TestSubscribe(t *testing.T) {
	bubble(t, 0, func(d *desk) {
		var got told
		d.answer = slow(time.Second, `{"allow":true,"cache":60}`)
		d.Subscribe(&hook.Subscribe{Conn: "c:5f3a.1", UID: "7", Channel: "chat:1"}, got.allowed("1"))
		d.Subscribe(&hook.Subscribe{Conn: "c:5f3a.2", UID: "7", Channel: "chat:1"}, got.allowed("2"))
		d.Subscribe(&hook.Subscribe{Conn: "c:5f3a.3", UID: "8", Channel: "chat:1"}, got.allowed("3"))
		d.run(2 * time.Second)
		d.questions(2)
		got.is(t, "1 may", "2 may", "3 may")
		d.answer = say(`{"allow":false,"why":"no friend"}`)
		d.Subscribe(&hook.Subscribe{Conn: "c:5f3a.1", UID: "7", Channel: "chat:1"}, got.allowed("1"))
		d.Subscribe(&hook.Subscribe{Conn: "c:5f3a.1", UID: "7", Channel: "chat:2"}, got.allowed("2"))
		d.run(time.Millisecond)
		got.is(t, "1 may", "2 0 no friend")
		d.questions(1)

		d.answer = func(_ context.Context, q string) (string, error) {
			if q != `{"ask":"publish","conn":"c:5f3a.1","uid":"7","id":"c:5f3a.1.3","again":true,`+
				`"channel":"chat:1","data":{"a": 1}}` {
				t.Error(q)
			}
			return `{"allow":true,"data":null,"skip":true}`, nil
		}
		for range 2 {
			d.Publish(&hook.Publish{
				Conn: "c:5f3a.1", UID: "7", ID: "c:5f3a.1.3", Again: true, Channel: "chat:1", Data: []byte(`{"a": 1}`),
			}, func(data json.RawMessage, skip bool, err error) {
				got = append(got, fmt.Sprintf("%s %t %v", data, skip, err))
			})
		}
		d.run(time.Millisecond)
		got.is(t, "null true <nil>", "null true <nil>")
		d.questions(2)
		d.answer = func(_ context.Context, q string) (string, error) {
			if q != `{"ask":"rpc","conn":"c:5f3a.1","uid":"7","id":"c:5f3a.1.4","method":"cart.add","data":[1],`+
				`"session":{"a":1}}` {
				t.Error(q)
			}
			return `{"error":"sold out","code":410,"cache":60}`, nil
		}
		for range 2 {
			d.RPC(&hook.RPC{
				Conn: "c:5f3a.1", UID: "7", ID: "c:5f3a.1.4", Method: "cart.add", Data: []byte("[1]"),
				Session: []byte(`{"a":1}`),
			}, func(data json.RawMessage, err error) { got = append(got, outcome(string(data), err)) })
		}
		d.run(time.Millisecond)
		got.is(t, "410 sold out", "410 sold out")
		d.questions(2)
	})
}

// TestDeciderAway answers within the time limit whatever the back end does, posts no more than so much at a time, and
// nothing for a while when it has failed several times in a row.
func TestDeciderAway(t *testing.T) {
	bubble(t, 2, func(d *desk) {
		var got told
		began := time.Now()
		d.answer = slow(time.Hour, "")
		for i := range 5 {
			d.Connect(withCookie("1", fmt.Sprint("a", i)), got.connect(fmt.Sprint(i)))
		}
		d.run(time.Millisecond)
		d.questions(2)
		if s := d.Stats(); s.UnderWay != 2 || s.Waiting != 3 {
			t.Errorf("%+v", s)
		}
		d.run(2100 * time.Millisecond)
		got.is(t, "2 away", "3 away", "4 away") // without a place for half of the time
		d.run(2 * time.Second)
		got.is(t, "0 away", "1 away")
		if took := time.Since(began); took > 4200*time.Millisecond || d.Stats().Away != 5 {
			t.Errorf("%v, %+v", took, d.Stats())
		}
		d.questions(0)

		d.answer = slow(time.Second, `{"uid":"7"}`)
		for i := range 5 {
			d.Connect(withCookie("1", fmt.Sprint("b", i)), got.connect(fmt.Sprint(i)))
		}
		d.run(3100 * time.Millisecond)
		got.is(t, "0 7", "1 7", "2 7", "3 7", "4 7")
		d.questions(5)

		d.answer = down
		for i := range 10 {
			d.Connect(withCookie("1", fmt.Sprint("c", i)), got.connect(fmt.Sprint(i)))
			d.run(time.Millisecond)
			got.is(t, fmt.Sprint(i, " away"))
		}
		d.questions(5)
		if !d.Stats().Open || !strings.Contains(d.problems[len(d.problems)-1], "several times in a row") {
			t.Errorf("%+v %q", d.Stats(), d.problems)
		}
		d.run(time.Second)
		d.answer = say(`{"uid":"8"}`)
		d.Connect(withCookie("1", "d"), got.connect("it is back"))
		d.run(time.Millisecond)
		got.is(t, "it is back 8")

		d.answer = say(`{"uid":""}`)
		for range 10 { // who answers is there
			d.Connect(withCookie("1", "e"), got.connect("wrong"))
			d.run(time.Millisecond)
		}
		d.questions(11)
		if s := d.Stats(); s.Wrong != 10 || s.Open {
			t.Errorf("%+v", s)
		}
		const want = `hook: the answer to connect is wrong: "uid": push: a uid has no name`
		if got := d.problems[len(d.problems)-1]; got != want {
			t.Errorf("the problem is %q", got)
		}
	})
}

// TestDeciderHandedOver has what waits, and what comes later, be asked by the successor alone, and says nothing of it.
func TestDeciderHandedOver(t *testing.T) {
	bubble(t, 1, func(d *desk) {
		var got told
		d.answer = slow(time.Second, `{"uid":"7"}`)
		for _, name := range []string{"1", "2", "3"} {
			d.Connect(withCookie(name, name), got.connect(name))
		}
		d.Connect(withCookie("4", "1"), got.connect("4")) // behind the first one
		d.run(time.Millisecond)
		d.HandedOver()
		d.Subscribe(&hook.Subscribe{UID: "7", Channel: "chat:1"}, got.allowed("5"))
		d.run(time.Millisecond)
		got.is(t, "2 away", "3 away", "5 away")
		d.run(2 * time.Second)
		got.is(t, "1 7", "4 away")
		d.questions(1)
		if s := d.Stats(); s.Waiting != 0 || s.UnderWay != 0 || len(d.problems) > 0 {
			t.Errorf("%+v, %q", s, d.problems)
		}
	})
}

// TestDeciderFlood bounds what waits, and what is kept.
func TestDeciderFlood(t *testing.T) {
	bubble(t, 1, func(d *desk) {
		d.answer = slow(time.Hour, "")
		away := 0
		for range 10_101 {
			d.RPC(&hook.RPC{Method: "x"}, func(_ json.RawMessage, err error) { away++ })
		}
		d.run(time.Millisecond)
		if away != 100 || d.Stats().Waiting != 10_000 {
			t.Errorf("%d are refused, %+v", away, d.Stats())
		}
		d.run(10 * time.Second)
		if away != 10_101 || d.Stats().Waiting != 0 {
			t.Errorf("%d are refused, %+v", away, d.Stats())
		}
		for range 17 {
			d.RPC(&hook.RPC{Method: "x", Data: make([]byte, 1<<20)}, func(json.RawMessage, error) { away++ })
		}
		d.run(time.Millisecond)
		if away != 10_102 {
			t.Errorf("%d of 17 MiB are refused", away-10_101)
		}
		d.run(10 * time.Second)

		d.questions(2)
		d.answer = say(`{"allow":true,"cache":86400}`)
		for i := range 10_001 {
			d.Subscribe(&hook.Subscribe{UID: "7", Channel: fmt.Sprint(i)}, func(error) {})
			d.run(time.Microsecond)
			if i == 0 {
				continue
			}
			d.Subscribe(&hook.Subscribe{UID: "7", Channel: "1"}, func(error) {}) // asked for often: it stays
		}
		d.run(time.Second)
		d.questions(10_001)
		d.Subscribe(&hook.Subscribe{UID: "7", Channel: "1"}, func(error) {})
		d.Subscribe(&hook.Subscribe{UID: "7", Channel: "0"}, func(error) {})
		d.run(time.Second)
		d.questions(1)
	})
}
