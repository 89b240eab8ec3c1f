package hook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ErrLarge is the error of an answer that is larger than Endpoint.MaxAnswer.
var ErrLarge = errors.New("hook: the answer is too large")

// StatusError is the error of Ask if the answer is not 200.
type StatusError struct {
	Name   string // of the hook
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("hook: %q: the answer is %d %s, want 200", e.Name, e.Status, http.StatusText(e.Status))
}

// Endpoint is a hook, and how it is asked.
type Endpoint struct {
	Name    string   // said with each request; in errors and logs
	URL     string   // http or https
	Secrets []string // that sign each request; none: nothing does
	Private bool     // it may be on this machine and in private networks

	// Header gives the fields by which the application knows a request of this body, in place of the name of the hook
	// and the signature; nil: it is those.
	Header func(body []byte) http.Header

	Timeout   time.Duration // in which a request has to be answered, from the connecting on; 0 means 5 seconds
	MaxAnswer int           // bytes of an answer; 0 means 64 KiB
	Conns     int           // connections at a time; what finds none waits, within its time; 0 means any number

	// Repeatable says that a request may be made twice: it is, when the hook closes the connection just as it is made.
	Repeatable bool

	TLS   *tls.Config                           // nil means the authorities of the system
	Proxy func(*http.Request) (*url.URL, error) // nil means http.ProxyFromEnvironment
	Now   func() time.Time                      // nil means time.Now
}

// Client makes requests to a hook. It may be used by many goroutines.
type Client struct {
	endpoint Endpoint
	url      *url.URL
	http     http.Client
	counters counters
}

// Answer is what a hook has said.
type Answer struct {
	Status     int
	Body       []byte
	RetryAfter time.Duration // that it asks to wait; 0 if it says nothing of that
}

// IsGood reports whether the hook has done what it was asked to.
func (a Answer) IsGood() bool { return a.Status >= 200 && a.Status <= 299 }

// IsAway reports whether the hook may do it later.
func (a Answer) IsAway() bool { return a.Status == http.StatusTooManyRequests || a.Status >= 500 }

const (
	defaultMaxAnswer = 64 << 10
	maxHeader        = 64 << 10 // of an answer, in bytes

	// idleConn is how long a connection is kept that nobody uses: less than most servers do, so that they do not close
	// it just as a request is made.
	idleConn = 4 * time.Second
)

// NewClient makes a Client. Nothing is connected yet. Errors and logs do not have the URL, in which a secret may stand.
//
// What a proxy of the environment connects to, the proxy alone knows: then only a host that is an address is looked at,
// and the proxy itself may be anywhere.
func NewClient(e Endpoint) (*Client, error) {
	u, err := url.Parse(e.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("hook: %q: want a URL, such as https://app.example.com/hook", e.Name)
	}
	if e.Timeout <= 0 {
		e.Timeout = defaultTimeout
	}
	if e.MaxAnswer <= 0 {
		e.MaxAnswer = defaultMaxAnswer
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	t, err := e.transport(u)
	if err != nil {
		return nil, err
	}
	return &Client{
		endpoint: e, url: u,
		http: http.Client{
			Transport: t, Timeout: e.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// transport makes the connections: directly and guarded, or by a proxy.
func (e *Endpoint) transport(u *url.URL) (*http.Transport, error) {
	find := e.Proxy
	if find == nil {
		find = http.ProxyFromEnvironment
	}
	proxy, err := find(&http.Request{URL: u})
	if err != nil {
		return nil, fmt.Errorf("hook: %q: the proxy of the environment: want a URL such as http://proxy:3128", e.Name)
	}
	dialer := &net.Dialer{Timeout: e.Timeout}
	t := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: e.TLS, Protocols: new(http.Protocols),
		DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost: e.Conns, MaxIdleConnsPerHost: e.Conns, IdleConnTimeout: idleConn,
	}
	t.Protocols.SetHTTP1(true)
	switch {
	case proxy != nil:
		t.Proxy = http.ProxyURL(proxy)
		if !e.Private && !isPublicHost(u.Hostname()) {
			return nil, fmt.Errorf("%w: %s", ErrPrivate, u.Hostname())
		}
	case !e.Private:
		dialer.Control = guard
	}
	return t, nil
}

// Post makes a request, signed by all secrets. The Answer may be anything that HTTP has: redirects are not followed.
// The error is ErrLarge, ErrPrivate, or one of the network or the time limit.
func (c *Client) Post(ctx context.Context, body []byte) (Answer, error) {
	began := c.endpoint.Now()
	a, err := c.post(ctx, body)
	c.counters.add(a, err, c.endpoint.Now().Sub(began))
	return a, err
}

// Ask makes a request, as DeciderOptions.Ask does, and returns the body of an answer 200. Otherwise the error is that
// of Post, or a *StatusError.
func (c *Client) Ask(ctx context.Context, question []byte) ([]byte, error) {
	a, err := c.Post(ctx, question)
	if err == nil && a.Status != http.StatusOK {
		err = &StatusError{c.endpoint.Name, a.Status}
	}
	if err != nil {
		return nil, err
	}
	return a.Body, nil
}

func (c *Client) post(ctx context.Context, body []byte) (Answer, error) {
	req, err := c.request(ctx, body)
	if err != nil {
		return Answer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return Answer{}, c.wrap(err)
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, RetryAfter: retryAfter(res.Header.Get("Retry-After"), c.endpoint.Now())}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, int64(c.endpoint.MaxAnswer)+1))
	switch {
	case err != nil:
		return Answer{}, c.wrap(err)
	case len(a.Body) > c.endpoint.MaxAnswer:
		return Answer{}, fmt.Errorf("%w: want at most %d bytes", ErrLarge, c.endpoint.MaxAnswer)
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.URL = c.url
	req.Header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Lineman"}}
	maps.Copy(req.Header, c.header(body))
	if c.endpoint.Repeatable {
		req.Header["Idempotency-Key"] = []string{} // net/http takes it as leave to repeat, and does not send it
	}
	return req, nil
}

// header are the fields by which the application knows a request.
func (c *Client) header(body []byte) http.Header {
	if c.endpoint.Header != nil {
		return c.endpoint.Header(body)
	}
	timestamp := strconv.FormatInt(c.endpoint.Now().Unix(), 10)
	fields := http.Header{NameHeader: {c.endpoint.Name}, TimestampHeader: {timestamp}}
	if len(c.endpoint.Secrets) > 0 {
		fields.Set(SignatureHeader, Sign(c.endpoint.Secrets, timestamp, body))
	}
	return fields
}

// wrap says which hook an error is of, without its URL.
func (c *Client) wrap(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return fmt.Errorf("hook: %q: %w", c.endpoint.Name, err)
}

// longestRetryAfter is how long a hook may ask us to wait.
const longestRetryAfter = 5 * time.Minute

// retryAfter reads a header (RFC 9110, section 10.2.3): seconds, or a date.
func retryAfter(text string, now time.Time) (d time.Duration) {
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		d = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longestRetryAfter)
}

// Close closes the connections that are idle. Requests under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }
