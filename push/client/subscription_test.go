package client_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

// TestSubscribe has a subscription be told all there is, in order.
func TestSubscribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		c, p := dialed(t, newNetwork(t), client.Options{})
		defer closing(t, c)
		sub := subscribed(t, c, p, "a", push.Since{Last: 2}, r.handler(),
			level1.Subscribed{Channel: "a", Position: at(9), N: 2})
		if sub.Target() != "a" || sub.Position() != at(7) {
			t.Errorf("%q at %v", sub.Target(), sub.Position())
		}
		p.text("[" + string(message("a", 8).Append(nil)) + "," + string(message("a", 9).Append(nil)) + "]")
		p.say(message("a", 10), message("b", 1),
			level1.Joined{Channel: "a", UID: "7", N: 2}, level1.Left{Channel: "a", UID: "7", N: 1},
			level1.Presence{Channel: "a", N: 1, Users: []level1.User{{UID: "8"}}}, level1.Presence{Channel: "b", N: 1},
			level1.Joined{Channel: "b", UID: "7", N: 2}, level1.Left{Channel: "b", UID: "7", N: 1},
			level1.Passed{Channel: "a", Position: at(11)}, message("a", 12),
			level1.Missed{Channel: "a", Gap: push.GapEpoch, Position: push.Position{Epoch: "f", Offset: 3}},
			level1.Message{Channel: "a", Position: push.Position{Epoch: "f", Offset: 4}, Data: []byte("new")})
		if got := r.take(); got != "[8 9 10 joined 7 2 left 7 1 present 1 1 false 12 gap a epoch f.3 new]" {
			t.Error(got)
		}
		if (sub.Position() != push.Position{Epoch: "f", Offset: 4}) {
			t.Errorf("at %v", sub.Position())
		}
		if _, err := c.Subscribe(t.Context(), "a", push.Since{}, r.handler()); err == nil {
			t.Error("subscribed twice")
		}
		sub.Unsubscribe()
		if q := p.next(level1.OpUnsub); q.Channel != "a" {
			t.Errorf("unsub of %q", q.Channel)
		}
		p.say(level1.Message{Channel: "a", Position: push.Position{Epoch: "f", Offset: 5}, Data: []byte("late")},
			level1.Unsubscribed{ID: 3, Channel: "a"})
		sub.Unsubscribe()
		if got := r.take(); got != "[]" {
			t.Errorf("after Unsubscribe: %s", got)
		}
		subscribed(t, c, p, "a", push.Since{Position: at(3)}, r.handler(),
			level1.Subscribed{Channel: "a", Position: at(4), N: 1}, message("a", 4))
		if got := r.take(); got != "[4]" {
			t.Error(got)
		}
	})
}

// TestSubscribeRefused has errors be returned by Subscribe, or be told to the handler later.
func TestSubscribeRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		n := newNetwork(t)
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		failed := make(chan error)
		subscribe := func(ctx context.Context, ch push.Target) {
			_, err := c.Subscribe(ctx, ch, push.Since{}, r.handler())
			failed <- err
		}
		go subscribe(t.Context(), "a")
		q := p.next(level1.OpSub)
		p.say(level1.Failure{ID: q.ID, Channel: "a", Code: level1.CodeForbidden, Text: "no"})
		var f level1.Failure
		if err := <-failed; !errors.As(err, &f) || f.Code != level1.CodeForbidden {
			t.Error(err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go subscribe(ctx, "a")
		q = p.next(level1.OpSub)
		if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		p.next(level1.OpUnsub)
		p.say(level1.Subscribed{ID: q.ID, Channel: "a"}, level1.Message{Channel: "a", Data: []byte("late")})

		go subscribe(t.Context(), "a")
		q = p.next(level1.OpSub) // the server cannot now, and is asked again
		p.say(level1.Failure{ID: q.ID, Channel: "a", Code: level1.CodeUnavailable})
		q = p.next(level1.OpSub)
		p.say(level1.Subscribed{ID: q.ID, Channel: "a", Position: at(0)})
		if err := <-failed; err != nil {
			t.Error(err)
		}
		p.say(message("a", 1), level1.Unsubscribed{Channel: "a", Why: level1.WhyAuth}, message("a", 2))
		if got := r.take(); got != "[1 ended a: client: the server has ended the subscription: auth]" {
			t.Error(got)
		}

		subscribed(t, c, p, "a", push.Since{}, r.handler(), level1.Subscribed{Channel: "a", Position: at(2)})
		p.goodbye(4200, "")
		p = n.accept()
		hello := p.welcome()
		p.say(level1.Failure{ID: hello.ID, Channel: "a", Code: level1.CodeForbidden, Text: "no"})
		if got := r.take(); got != `[ended a: level1: "a": the server answers 403: no]` {
			t.Error(got)
		}
		for ch, h := range map[push.Target]client.Handler{"": r.handler(), "b": {}} {
			if _, err := c.Subscribe(t.Context(), ch, push.Since{}, h); err == nil {
				t.Errorf("%q was subscribed to", ch)
			}
		}
		p.silent()
	})
}

// TestSubscribeAway has what is asked for while no connection is there be asked for by the next one.
func TestSubscribeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, r := newNetwork(t), &record{}
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		p.goodbye(4101, `{"retry":1000}`)
		done := make(chan error, 2)
		subscribe := func(ch push.Target) {
			_, err := c.Subscribe(t.Context(), ch, push.Since{}, r.handler())
			done <- err
		}
		synctest.Wait()
		if c.UID() != "" || c.Conn() != "" {
			t.Errorf("away, %q, %q", c.UID(), c.Conn())
		}
		go subscribe("a")
		p = n.accept()
		hello := p.next(level1.OpHello)
		if len(hello.Subs) != 1 || hello.Subs[0].Target != "a" {
			t.Errorf("hello: %+v", hello.Subs)
		}
		go subscribe("b") // between hello and welcome
		synctest.Wait()
		p.say(level1.Welcome{ID: hello.ID, Conn: "c:n.2", UID: "7"}, level1.Subscribed{Channel: "a", Position: at(0)})
		q := p.next(level1.OpSub)
		p.say(level1.Subscribed{ID: q.ID, Channel: "b", Position: at(0)})
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestUnasked has what nobody has subscribed to be told to Options.Handler, over reconnects.
func TestUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, r, own := newNetwork(t), &record{}, &record{}
		c, p := dialed(t, n, client.Options{Handler: r.handler()})
		defer closing(t, c)
		p.say(level1.Subscribed{Channel: "u:7", Position: at(4)}, level1.Subscribed{Channel: "g:x"},
			message("u:7", 5), level1.Message{Channel: "g:x", Data: []byte("group")},
			level1.Message{Channel: "*", Data: []byte("all")}, level1.Message{Channel: "c:n.1", Data: []byte("one")},
			level1.Message{Channel: "b", Data: []byte("not subscribed")})
		if got := r.take(); got != "[5 group all one]" {
			t.Error(got)
		}
		p.conn.Close()
		p = n.accept()
		hello := p.welcome()
		if len(hello.Subs) != 2 || hello.Subs[0] != (level1.Start{Target: "g:x"}) ||
			hello.Subs[1] != (level1.Start{Target: "u:7", Since: push.Since{Position: at(5)}}) {
			t.Errorf("hello: %+v", hello.Subs)
		}
		p.say(level1.Failure{Channel: "g:x", Code: level1.CodeForbidden},
			level1.Subscribed{Channel: "u:7", Position: at(6), N: 1}, message("u:7", 6))
		if got := r.take(); got != `[gap * off  ended g:x: level1: "g:x": the server answers 403:  6]` {
			t.Error(got)
		}

		// A group that the connection comes into again goes on where it was.
		p.say(level1.Subscribed{Channel: "g:y", Position: at(1)}, message("g:y", 2))
		p.conn.Close()
		p = n.accept()
		if hello := p.welcome(); len(hello.Subs) != 2 {
			t.Errorf("hello: %+v", hello.Subs)
		}
		p.say(level1.Failure{Channel: "g:y", Code: level1.CodeForbidden},
			level1.Subscribed{Channel: "u:7", Position: at(6)})
		p.conn.Close()
		p = n.accept()
		if hello := p.welcome(); len(hello.Subs) != 1 {
			t.Errorf("hello: %+v", hello.Subs)
		}
		p.say(level1.Subscribed{Channel: "u:7", Position: at(6)}, level1.Subscribed{Channel: "g:y", Position: at(4)},
			message("g:y", 5), level1.Subscribed{Channel: "g:x"})
		if q := p.next(level1.OpSub); q.Channel != "g:y" || q.Since.Position != at(2) {
			t.Errorf("it asks for %+v", q)
		} else {
			p.say(level1.Subscribed{ID: q.ID, Channel: "g:y", Position: at(5), N: 3},
				message("g:y", 3), message("g:y", 4), message("g:y", 5))
		}
		if got := r.take(); got != `[2 gap * off  ended g:y: level1: "g:y": the server answers 403:  `+
			`gap * off  gap g:x off  3 4 5]` {
			t.Error(got)
		}

		// A subscription takes it over. What comes before the answer comes again.
		done := make(chan error, 1)
		var sub *client.Subscription
		go func() {
			var err error
			sub, err = c.Subscribe(t.Context(), "u:7", push.Since{Position: at(3)}, own.handler())
			done <- err
		}()
		q := p.next(level1.OpSub)
		p.say(level1.Subscribed{Channel: "u:7", Position: at(6)}, message("u:7", 7),
			level1.Subscribed{ID: q.ID, Channel: "u:7", Position: at(7), N: 4},
			message("u:7", 4), message("u:7", 5), message("u:7", 6), message("u:7", 7), message("u:7", 8))
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := own.take(); got != "[4 5 6 7 8]" {
			t.Error(got)
		}
		if got := r.take(); got != "[]" {
			t.Errorf("to Options.Handler: %s", got)
		}
		sub.Unsubscribe() // the client is in it anyway
		p.say(message("u:7", 9))
		if got := r.take() + own.take(); got != "[9][]" {
			t.Errorf("after Unsubscribe: %s", got)
		}
		p.silent()
	})
}

// TestPosition has the position stay where it is until the handler has returned.
func TestPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		began, goOn := make(chan bool), make(chan bool)
		sub := subscribed(t, c, p, "a", push.Since{}, client.Handler{
			Message: func(level1.Message) { began <- true; <-goOn },
		}, level1.Subscribed{Channel: "a", Position: at(4)}, message("a", 5), message("a", 6))
		<-began
		if sub.Position() != at(4) {
			t.Errorf("in the handler: %v", sub.Position())
		}
		p.conn.Close() // what waits for the handlers is not asked for once more
		p = n.accept()
		if hello := p.welcome(); hello.Subs[0].Since.Position != at(6) {
			t.Errorf("hello: %+v", hello.Subs)
		}
		p.say(level1.Subscribed{Channel: "a", Position: at(6)})
		goOn <- true
		<-began
		if sub.Position() != at(5) {
			t.Errorf("in the second one: %v", sub.Position())
		}
		goOn <- true
		synctest.Wait()
		if sub.Position() != at(6) {
			t.Errorf("at last: %v", sub.Position())
		}
	})
}

// TestHole has a hole be filled by the server, and told as a gap if that cannot.
func TestHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		c, p := dialed(t, newNetwork(t), client.Options{})
		defer closing(t, c)
		subscribed(t, c, p, "a", push.Since{}, r.handler(), level1.Subscribed{Channel: "a", Position: at(4)})
		p.say(message("a", 7), message("a", 8))
		q := p.next(level1.OpSub)
		if q.Since.Position != at(4) {
			t.Errorf("since %v", q.Since)
		}
		p.say(level1.Subscribed{ID: q.ID, Channel: "a", Position: at(8), N: 4},
			message("a", 5), message("a", 6), message("a", 7), message("a", 8), message("a", 9))
		if got := r.take(); got != "[5 6 7 8 9]" {
			t.Error(got)
		}
		p.say(level1.Passed{Channel: "a", Position: at(12)})
		q = p.next(level1.OpSub)
		p.say(level1.Subscribed{ID: q.ID, Channel: "a", Position: at(12), N: 3}, message("a", 12))
		if got := r.take(); got != "[gap a jump e.b 12]" {
			t.Error(got)
		}
		p.silent()
		p.say(level1.Missed{Channel: "a", Gap: push.GapExpired, Position: at(4)})
		if got := r.take(); got != "[gap a expired e.4]" {
			t.Error(got)
		}
	})
}

// TestBegan has a handler be told of each beginning, before what comes of it, and ask who is there.
func TestBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, r := newNetwork(t), &record{}
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		h := r.handler()
		h.Began = func(s level1.Subscribed) {
			there, err := c.Presence(t.Context(), s.Channel)
			r.add("began %s %d %s, %d are there, %v", s.Position, s.N, s.Gap, there.N, err)
		}
		answer := func() {
			q := p.next(level1.OpPresence)
			p.say(level1.Presence{ID: q.ID, Channel: "a", N: 2})
		}
		subscribed(t, c, p, "a", push.Since{Last: 1}, h, level1.Subscribed{Channel: "a", Position: at(4), N: 1},
			message("a", 4))
		answer()
		p.conn.Close()
		p = n.accept()
		p.welcome()
		p.say(level1.Subscribed{Channel: "a", Position: at(9)}) // it does not say that something is missing
		answer()
		const want = "[began e.4 1 , 2 are there, <nil> 4 began e.9 0 jump, 2 are there, <nil> gap a jump e.9]"
		if got := r.take(); got != want {
			t.Error(got)
		}
	})
}
