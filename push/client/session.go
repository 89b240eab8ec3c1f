package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// session is one connection. One goroutine reads, that of Client.run.
type session struct {
	c      *Client
	socket *socket
	life   context.Context // ends with the connection
	number int64           // of hello
	bye    *EndError       // what the server has said before it closes; owned by who reads
	quiet  bool            // the server was asked for a sign of life; owned by who reads

	welcome level1.Welcome // immutable after it has come
	began   time.Time      // when it came
	renewal atomic.Int64   // number of the plan to renew the credential that counts

	mu    sync.Mutex // guards the following
	asked map[int64]chan level1.Frame
}

// Bounds of what a connection waits for.
const (
	welcomeTimeout = 20 * time.Second // hello has to be answered
	silence        = 30 * time.Second // without heartbeats: then the server is asked for a sign of life
	probeTimeout   = 10 * time.Second // in which that has to come
)

// connect makes one connection, and returns when it has ended, and why.
func (c *Client) connect() error {
	life, end := context.WithCancel(c.life)
	defer end()
	token := ""
	if c.options.Token != nil {
		var err error
		if token, err = c.options.Token(life); err != nil {
			return fmt.Errorf("client: no token: %w", err)
		}
	}
	socket, err := dialSocket(life, c.url, &c.options)
	if err != nil {
		return err
	}
	s := &session{c: c, socket: socket, life: life, asked: map[int64]chan level1.Frame{}}
	left := make(chan struct{})
	stay := context.AfterFunc(c.life, func() {
		defer close(left)
		socket.leave()
	})
	defer func() {
		if !stay() {
			<-left
		}
		socket.conn.Close()
	}()
	return s.serve(token)
}

// serve says hello and reads until the connection ends.
func (s *session) serve(token string) error {
	if err := s.hello(token); err != nil {
		return err
	}
	for {
		text, err := s.socket.read(s.patience())
		switch {
		case err != nil && isQuiet(err) && s.welcome.Conn != "" && !s.quiet:
			s.quiet = true
			err = s.send(&level1.Request{Op: level1.OpHB})
		case err == nil:
			s.quiet = false
			err = s.handleAll(text)
		}
		if err != nil {
			return s.ending(err)
		}
	}
}

// ending is why the connection ends: what the server has said of it, before all.
func (s *session) ending(err error) error {
	var end *EndError
	switch {
	case s.bye != nil && (!errors.As(err, &end) || end.Code == s.bye.Code):
		return s.bye
	case isQuiet(err):
		return fmt.Errorf("client: the server is silent: %w", err)
	}
	return err
}

// patience is how long nothing may come.
func (s *session) patience() time.Duration {
	switch {
	case s.welcome.Conn == "":
		return welcomeTimeout
	case s.quiet:
		return probeTimeout
	case s.welcome.Heartbeat > 0:
		return s.welcome.Heartbeat * 3 / 2
	}
	return silence
}

// hello is the first thing that is said: who this is, and where each target goes on.
func (s *session) hello(token string) error {
	c := s.c
	c.mu.Lock()
	s.number = c.nextNumberLocked()
	r := level1.Request{Op: level1.OpHello, ID: s.number, Token: token, Subs: []level1.Start{}, Batch: true,
		Heartbeat: true}
	for _, t := range slices.Sorted(maps.Keys(c.subs)) {
		sub := c.subs[t]
		if sub.dormant {
			continue
		}
		r.Subs = append(r.Subs, level1.Start{Target: t, Since: sub.track.since()})
		sub.session, sub.number, sub.pending = s, s.number, true
	}
	c.mu.Unlock()
	return s.send(&r)
}

// send sends a request.
func (s *session) send(r *level1.Request) error { return s.socket.write(r.Append(nil)) }

// handleAll handles what a text says.
func (s *session) handleAll(text []byte) error {
	for f, err := range level1.Frames(text) {
		if err != nil {
			return err
		}
		if _, isWelcome := f.(level1.Welcome); !isWelcome && s.welcome.Conn == "" {
			if err := s.beforeWelcome(f); err != nil {
				return err
			}
			continue
		}
		if err := s.handle(f); err != nil {
			return err
		}
	}
	return nil
}

// beforeWelcome handles what may come in its place.
func (s *session) beforeWelcome(f level1.Frame) error {
	switch f := f.(type) {
	case level1.Bye:
		s.handleBye(f)
	case level1.Failure:
		return f
	case level1.Heartbeat:
	default:
		return fmt.Errorf("%w: the first frame is no welcome", level1.ErrFrame)
	}
	return nil
}

func (s *session) handleBye(f level1.Bye) { s.bye = &EndError{f.Code, f.Retry, f.Why} }

// handle handles one frame.
func (s *session) handle(f level1.Frame) error {
	switch f := f.(type) {
	case level1.Welcome:
		return s.handleWelcome(f)
	case level1.Subscribed:
		s.handleSubscribed(f)
	case level1.Unsubscribed:
		s.handleUnsubscribed(f)
	case level1.Message:
		s.handleMessage(f)
	case level1.Passed:
		s.handlePassed(f)
	case level1.Missed:
		s.handleMissed(f)
	case level1.Joined:
		s.tell(f.Channel, func(h *Handler) { h.Joined(f) })
	case level1.Left:
		s.tell(f.Channel, func(h *Handler) { h.Left(f) })
	case level1.History:
		s.answer(f.ID, f)
	case level1.Presence:
		if f.ID != 0 {
			s.answer(f.ID, f)
		} else {
			s.tell(f.Channel, func(h *Handler) { h.Present(f) })
		}
	case level1.Authorized:
		s.answer(f.ID, f)
	case level1.Published:
		s.answer(f.ID, f)
	case level1.Said:
		s.answer(f.ID, f)
	case level1.Replied:
		s.answer(f.ID, f)
	case level1.Failure:
		s.handleFailure(f)
	case level1.Expiring:
		s.renewIn(renewPause)
	case level1.Bye:
		s.handleBye(f)
	}
	return nil
}

// handleWelcome has the client be connected, and subscribes to what was wanted since hello.
func (s *session) handleWelcome(w level1.Welcome) error {
	if s.welcome.Conn != "" {
		return fmt.Errorf("%w: a second welcome", level1.ErrFrame)
	}
	s.welcome, s.began = w, time.Now()
	c := s.c
	late, again := c.began(s)
	s.renewAt(w.Expires)
	c.queue.put(0, func() { c.options.Up(w) })
	if again {
		missed := level1.Missed{Channel: push.Everyone, Gap: push.GapOff}
		c.queue.put(0, func() { c.options.Handler.Gap(missed) })
	}
	for _, r := range late {
		if err := s.send(r); err != nil {
			return err
		}
	}
	return nil
}
