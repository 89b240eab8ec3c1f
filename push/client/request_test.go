package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/client"
	"github.com/lineman-go/lineman/push/level1"
)

// TestAsk has requests get their own answers, in whatever order they come.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		c, p := dialed(t, n, client.Options{})
		defer closing(t, c)
		type told struct {
			level1.History
			level1.Presence
			error
		}
		answers := make(chan told)
		go func() {
			h, err := c.History(t.Context(), "a", push.Since{Last: 3}, 2)
			answers <- told{History: h, error: err}
		}()
		hist := p.next(level1.OpHist)
		if hist.Channel != "a" || hist.N != 2 || hist.Since.Last != 3 {
			t.Errorf("%+v", hist)
		}
		go func() {
			a, err := c.Presence(t.Context(), "b")
			answers <- told{Presence: a, error: err}
		}()
		presence := p.next(level1.OpPresence)
		p.say(level1.Presence{ID: presence.ID, Channel: "b", N: 3},
			level1.History{ID: hist.ID, Channel: "a", Top: at(3)})
		for range 2 {
			if a := <-answers; a.error != nil || a.History.Top != at(3) && a.Presence.N != 3 {
				t.Errorf("%+v", a)
			}
		}
		for _, wrong := range []level1.Frame{
			level1.Failure{Channel: "b", Code: level1.CodeForbidden}, level1.Authorized{},
		} {
			go func() {
				a, err := c.Presence(t.Context(), "b")
				answers <- told{Presence: a, error: err}
			}()
			id := p.next(level1.OpPresence).ID
			switch f := wrong.(type) {
			case level1.Failure:
				f.ID = id
				p.say(f)
			case level1.Authorized:
				f.ID = id
				p.say(f)
			}
			var f level1.Failure
			if a := <-answers; !errors.As(a.error, &f) && !errors.Is(a.error, level1.ErrFrame) {
				t.Errorf("%+v", a)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Presence(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		p.say(level1.Presence{ID: p.next(level1.OpPresence).ID, Channel: "b", N: 4}) // nobody waits any more

		go func() {
			a, err := c.Presence(t.Context(), "b")
			answers <- told{Presence: a, error: err}
		}()
		p.next(level1.OpPresence)
		p.conn.Close() // the next connection is asked
		p = n.accept()
		p.welcome()
		p.say(level1.Presence{ID: p.next(level1.OpPresence).ID, Channel: "b", N: 5})
		if a := <-answers; a.Presence.N != 5 || a.error != nil {
			t.Errorf("%+v", a)
		}
	})
}

// big is a message of so many bytes.
func big(offset uint64, size int) level1.Message {
	return level1.Message{Channel: "a", Position: at(offset), Data: bytes.Repeat([]byte("x"), size)}
}

// TestBackPressure has a slow handler slow down the server, and a handler get an answer in spite of it.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialed(t, newNetwork(t), client.Options{})
		defer closing(t, c)
		goOn, answers := make(chan bool), make(chan error, 10)
		subscribed(t, c, p, "a", push.Since{}, client.Handler{Message: func(m level1.Message) {
			if m.Position == at(1) {
				<-goOn
				_, err := c.History(t.Context(), "a", push.Since{}, 1)
				answers <- err
			}
		}}, level1.Subscribed{Channel: "a", Position: at(0)})
		sent := uint64(0)
		done := make(chan bool)
		go func() {
			defer close(done)
			for range 50 {
				p.say(big(sent+1, 100_000))
				sent++
			}
		}()
		synctest.Wait()
		if sent < 10 || sent > 14 {
			t.Errorf("%d messages of 100,000 bytes were read while the handler stood still", sent)
		}
		goOn <- true
		id := p.next(level1.OpHist).ID
		<-done // while the handler waits
		p.say(level1.History{ID: id, Channel: "a", Top: at(50)})
		if err := <-answers; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// TestBehind has who waits for an answer that cannot come be told.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := dialed(t, newNetwork(t), client.Options{})
		defer closing(t, c)
		answers := make(chan string, 10)
		subscribed(t, c, p, "a", push.Since{}, client.Handler{Message: func(m level1.Message) {
			if m.Position == at(1) {
				_, err := c.History(t.Context(), "a", push.Since{}, 1)
				h := client.Handler{Message: func(level1.Message) {}}
				_, second := c.Subscribe(t.Context(), "b", push.Since{}, h)
				answers <- fmt.Sprint(err == client.ErrBehind, second == client.ErrBehind)
			}
		}}, level1.Subscribed{Channel: "a", Position: at(0)})
		for i := range uint64(200) {
			p.say(big(i+1, 100_000))
		}
		if got := <-answers; got != "true true" {
			t.Error(got)
		}
	})
}

// TestRenewal has the credential be renewed before it expires, and when the server says so.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, tokens, broken := newNetwork(t), 0, false
		began := time.Now()
		o := client.Options{Dial: n.dial, Token: func(context.Context) (string, error) {
			if tokens++; broken {
				return "", errors.New("broken")
			}
			return fmt.Sprint("token ", tokens), nil
		}}
		done := make(chan *client.Client)
		go func() {
			c, err := client.Dial(t.Context(), "ws://server.example", o)
			if err != nil {
				t.Error(err)
			}
			done <- c
		}()
		p := n.accept()
		if hello := p.next(level1.OpHello); hello.Token != "token 1" {
			t.Errorf("hello: %+v", hello)
		}
		p.say(level1.Welcome{Conn: "c:n.1", Expires: began.Add(5 * time.Minute), Heartbeat: time.Hour})
		c := <-done
		defer closing(t, c)

		r := p.next(level1.OpAuth)
		if r.Token != "token 2" || time.Since(began) != 5*time.Minute-45*time.Second {
			t.Errorf("%q after %v", r.Token, time.Since(began))
		}
		p.say(level1.Authorized{ID: r.ID, Expires: time.Now().Add(40 * time.Second)})
		began = time.Now()
		r = p.next(level1.OpAuth)
		if r.Token != "token 3" || time.Since(began) != 20*time.Second {
			t.Errorf("%q after %v", r.Token, time.Since(began))
		}
		p.say(level1.Failure{ID: r.ID, Code: level1.CodeUnauthorized}) // the old one counts until it expires
		p.say(level1.Expiring{In: 30 * time.Second}, level1.Expiring{In: 30 * time.Second})
		began = time.Now()
		r = p.next(level1.OpAuth)
		if time.Since(began) != 5*time.Second {
			t.Errorf("renewed after %v", time.Since(began))
		}
		p.say(level1.Authorized{ID: r.ID, Expires: time.Now().Add(time.Second)}) // too soon to be renewed
		time.Sleep(10 * time.Second)
		p.silent()
		broken = true
		p.say(level1.Expiring{In: 30 * time.Second})
		time.Sleep(10 * time.Second)
		p.silent()
		broken = false
		p.goodbye(4200, "")
		p = n.accept()
		if hello := p.next(level1.OpHello); hello.Token != fmt.Sprint("token ", tokens) {
			t.Errorf("hello: %+v", hello)
		}
	})
}
