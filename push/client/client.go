package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// ErrClosed is the error of what a Client is asked after Close.
var ErrClosed = errors.New("client: closed")

// Client is a connection to the push server that comes back by itself. All methods may be called from any goroutine,
// and from handlers.
type Client struct {
	url     *url.URL
	options Options
	queue   *queue
	running sync.WaitGroup
	done    chan struct{} // closed when all goroutines have ended

	life context.Context // ends with the client; the cause is why
	end  context.CancelCauseFunc

	mu       sync.Mutex // guards the following, and what Subscriptions say
	subs     map[push.Target]*Subscription
	session  *session      // nil while no connection is there that was welcomed
	changed  chan struct{} // closed when session changes, and replaced
	down     error         // why there is none
	welcomed bool          // there was one
	number   int64         // of the last request
}

// Dial connects to a server: "wss://push.example.com/", or ws. It returns when the server has welcomed the client;
// until then it tries again and again, as long as ctx lasts. An error that trying again would not change is returned at
// once: an *EndError with a code of 40xx, ErrLevel, or a *websocket.AnswerError with a status of 400, 401 or 403.
func Dial(ctx context.Context, address string, o Options) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return nil, fmt.Errorf("client: %q: want ws://HOST/ or wss://HOST/", address)
	}
	c := &Client{
		url: u, options: o.withDefaults(), queue: newQueue(), done: make(chan struct{}),
		subs: map[push.Target]*Subscription{}, changed: make(chan struct{}),
	}
	c.life, c.end = context.WithCancelCause(context.Background())
	c.running.Go(c.run)
	c.running.Go(c.queue.run)
	go func() {
		c.running.Wait()
		close(c.done)
	}()
	if _, err := c.connected(ctx); err != nil {
		c.Close()
		<-c.done
		return nil, err
	}
	return c, nil
}

// run makes connections until the client ends.
func (c *Client) run() {
	defer c.queue.end()
	var wait backoff
	for {
		err := c.connect()
		lasted := c.ended(err)
		if c.life.Err() != nil {
			return
		}
		if isFinal(err) {
			c.end(err)
		}
		c.queue.put(0, func() { c.options.Down(err) })
		select {
		case <-c.life.Done():
			return
		case <-time.After(wait.next(err, lasted)):
		}
	}
}

// isFinal reports whether trying again would end the same way.
func isFinal(err error) bool {
	var end *EndError
	var answer *websocket.AnswerError
	switch {
	case errors.As(err, &end):
		return end.isFinal()
	case errors.As(err, &answer):
		return answer.Status == 400 || answer.Status == 401 || answer.Status == 403
	}
	return errors.Is(err, ErrLevel)
}

// connected waits for a connection that was welcomed.
func (c *Client) connected(ctx context.Context) (*session, error) {
	for {
		c.mu.Lock()
		s, changed, down := c.session, c.changed, c.down
		c.mu.Unlock()
		if s != nil && s.life.Err() == nil { // else it has ended, and is about to be forgotten
			return s, nil
		}
		select {
		case <-changed:
		case <-c.life.Done():
			return nil, context.Cause(c.life)
		case <-ctx.Done():
			if down != nil {
				return nil, fmt.Errorf("%w: %w", context.Cause(ctx), down)
			}
			return nil, context.Cause(ctx)
		}
	}
}

// began notes that a connection was welcomed. It says what has to be asked now, as hello did not have it, and whether
// there was a connection before.
func (c *Client) began(s *session) (late []*level1.Request, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, sub := range c.subs {
		if sub.session != s && !sub.dormant {
			late = append(late, sub.askLocked(s))
		}
	}
	again, c.welcomed = c.welcomed, true
	c.setSessionLocked(s, nil)
	return late, again
}

// ended notes that no connection is there, and why. It says how long there was one.
func (c *Client) ended(why error) (lasted time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		lasted = time.Since(c.session.began)
	}
	c.setSessionLocked(nil, why)
	return lasted
}

func (c *Client) setSessionLocked(s *session, down error) {
	c.session, c.down = s, down
	close(c.changed)
	c.changed = make(chan struct{})
}

// nextNumberLocked is that of a request.
func (c *Client) nextNumberLocked() int64 {
	c.number++
	return c.number
}

// UID is that of the credential, as the server says; empty while no connection is there.
func (c *Client) UID() string { return c.welcome().UID }

// Conn is the name of the connection, another one after each reconnect; empty while none is there.
func (c *Client) Conn() push.Target { return c.welcome().Conn }

func (c *Client) welcome() level1.Welcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return level1.Welcome{}
	}
	return c.session.welcome
}

// Close ends the client. No handler is called any more, though one that is running may still do so: Done tells when
// that has returned.
func (c *Client) Close() {
	c.queue.drop()
	c.end(ErrClosed)
}

// Done is closed when the client has ended, by Close or for good, and the last handler has returned.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the client has ended: ErrClosed, or what Dial lists as final. nil while it goes on.
func (c *Client) Err() error { return context.Cause(c.life) }
