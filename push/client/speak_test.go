package client_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

// said is what a call has returned.
type said struct {
	position push.Position
	data     string
	err      error
}

// TestPublish has a client publish, once, and be told what has become of it.
func TestPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		answers := make(chan said)
		publish := func(o client.PublishOptions) {
			go func() {
				at, err := c.Publish(t.Context(), "chat:42", []byte(`{"a": 1}`), o)
				answers <- said{position: at, err: err}
			}()
		}
		publish(client.PublishOptions{NoEcho: true})
		r := p.next(level1.OpPub)
		if r.Channel != "chat:42" || string(r.Data) != `{"a": 1}` || !r.NoEcho || r.ID == 0 {
			t.Errorf("%+v", r)
		}
		p.say(level1.Published{ID: r.ID, Channel: "chat:42", Position: at(7)})
		if a := <-answers; a.position != at(7) || a.err != nil {
			t.Errorf("%+v", a)
		}
		publish(client.PublishOptions{})
		p.say(level1.Failure{ID: p.next(level1.OpPub).ID, Channel: "chat:42", Code: level1.CodeForbidden, Text: "no"})
		var no level1.Failure
		if a := <-answers; !errors.As(a.err, &no) || no.Code != level1.CodeForbidden {
			t.Errorf("%+v", a)
		}
		publish(client.PublishOptions{NoWait: true})
		if r := p.next(level1.OpPub); r.ID != 0 || r.NoEcho {
			t.Errorf("%+v", r)
		}
		if a := <-answers; a.err != nil {
			t.Errorf("%+v", a)
		}
		publish(client.PublishOptions{})
		p.next(level1.OpPub)
		p.conn.Close()
		if a := <-answers; a.err != client.ErrUnanswered {
			t.Errorf("the connection has ended: %+v", a)
		}
		publish(client.PublishOptions{NoWait: true})
		if a := <-answers; a.err != client.ErrDown {
			t.Errorf("no connection is there: %+v", a)
		}
		p = n.accept()
		p.welcome()
		p.silent()
		for _, wrong := range []string{"", "x", "{"} {
			if _, err := c.Publish(t.Context(), "a", []byte(wrong), client.PublishOptions{NoWait: true}); err == nil {
				t.Errorf("%q is published", wrong)
			}
		}
		large := append(bytes.Repeat([]byte(" "), 65536), '1')
		if _, err := c.Publish(t.Context(), "a", large, client.PublishOptions{}); !errors.Is(err, client.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		if _, err := c.Publish(t.Context(), "", []byte("1"), client.PublishOptions{}); err == nil {
			t.Error("a channel without a name")
		}
	})
}

// TestSay has a client say something until all have it, and mark what they may have heard.
func TestSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		answers := make(chan error)
		say := func(ctx context.Context) {
			go func() { answers <- c.Say(ctx, []byte(`"hello"`), client.SayOptions{}) }()
		}
		say(t.Context())
		r := p.next(level1.OpSay)
		if string(r.Data) != `"hello"` || r.ID == 0 || r.Again {
			t.Errorf("%+v", r)
		}
		p.say(level1.Failure{ID: r.ID, Code: level1.CodeTooMany})
		if r = p.next(level1.OpSay); r.Again {
			t.Errorf("it was not taken: %+v", r)
		}
		p.conn.Close()
		p = n.accept()
		p.welcome()
		if r = p.next(level1.OpSay); !r.Again {
			t.Errorf("it may have been heard: %+v", r)
		}
		before := time.Now()
		p.say(level1.Failure{ID: r.ID, Code: level1.CodeUnavailable})
		if r = p.next(level1.OpSay); !r.Again || time.Since(before) < time.Second {
			t.Errorf("after %v: %+v", time.Since(before), r)
		}
		p.say(level1.Said{ID: r.ID})
		if err := <-answers; err != nil {
			t.Error(err)
		}
		say(t.Context())
		p.say(level1.Failure{ID: p.next(level1.OpSay).ID, Code: level1.CodeForbidden})
		var no level1.Failure
		if err := <-answers; !errors.As(err, &no) || no.Code != level1.CodeForbidden {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		say(ctx)
		p.say(level1.Failure{ID: p.next(level1.OpSay).ID, Code: level1.CodeUnavailable})
		if err := <-answers; !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &no) {
			t.Error(err)
		}
		if err := c.Say(t.Context(), []byte("1"), client.SayOptions{NoWait: true}); err != nil {
			t.Error(err)
		}
		if r := p.next(level1.OpSay); r.ID != 0 {
			t.Errorf("%+v", r)
		}
		say(t.Context())
		p.next(level1.OpSay)
		c.Close()
		if err := <-answers; !errors.Is(err, client.ErrClosed) {
			t.Error(err)
		}
		if err := c.Say(t.Context(), []byte("1"), client.SayOptions{NoWait: true}); err != client.ErrClosed {
			t.Error(err)
		}
	})
}

// TestRPC has a client ask the back end, once.
func TestRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		answers := make(chan said)
		call := func(data []byte) {
			go func() {
				data, err := c.RPC(t.Context(), "cart.add", data)
				answers <- said{data: string(data), err: err}
			}()
		}
		call([]byte("[1]"))
		r := p.next(level1.OpRPC)
		if r.Method != "cart.add" || string(r.Data) != "[1]" {
			t.Errorf("%+v", r)
		}
		p.say(level1.Replied{ID: r.ID, Data: []byte(`{"n":2}`)})
		if a := <-answers; a.data != `{"n":2}` || a.err != nil {
			t.Errorf("%+v", a)
		}
		call(nil)
		p.say(level1.Replied{ID: p.next(level1.OpRPC).ID})
		if a := <-answers; a.data != "" || a.err != nil {
			t.Errorf("%+v", a)
		}
		call(nil)
		p.say(level1.Failure{ID: p.next(level1.OpRPC).ID, Code: 410, Text: "sold out"})
		var no level1.Failure
		if a := <-answers; !errors.As(a.err, &no) || no.Text != "sold out" {
			t.Errorf("%+v", a)
		}
		call(nil)
		p.next(level1.OpRPC)
		p.conn.Close()
		if a := <-answers; a.err != client.ErrUnanswered {
			t.Errorf("%+v", a)
		}
		p = n.accept()
		p.welcome()
		p.silent()
	})
}
