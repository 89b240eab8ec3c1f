// Package server is the push server: browsers on one port, back ends on another, and a push.Hub between them, all on one loop.
package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
)

// Config is what a Server is told.
type Config struct {
	Listen string // host:port for browsers
	Text   string // host:port for back ends

	// Dev takes the credential for the uid, and serves a page to try it with. Without it Verify is required.
	Dev bool

	// Verify tells whose a credential is. An error refuses it; its text reaches nobody but the log.
	Verify func(credential string) (uid string, err error)

	Cert, Key string // files of a certificate and its key, read again when they change; empty means no TLS

	Origins []string      // of pages that may connect, beside those of the same host
	Cookie  string        // the cookie that may carry the credential; empty means none does
	Login   time.Duration // in which a connection has to say who it is; 0 means 10 s

	Command string    // how people call this program; empty means lineman
	Out     io.Writer // gets the greeting; nil means nobody does
}

// ErrExposed means that a server would let anybody in.
var ErrExposed = errors.New("anybody who reaches the port could be any user")

// Check tells what of the configuration cannot be.
func (c *Config) Check() error {
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("--tls-cert and --tls-key belong together: give both")
	}
	if c.Dev || c.Verify != nil {
		return nil
	}
	return fmt.Errorf("--listen %s: %w: listen on a loopback address, such as 127.0.0.1:1234, or say --dev if that is what you want", c.Listen, ErrExposed)
}

// Loopback reports whether an address can be reached from this machine only.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Server is the push server of one process.
type Server struct {
	config Config
	pages  *lineman.Worker
	text   *lineman.Worker
	page   []byte

	// Owned by the loop, from OnStart on.
	loop  *lineman.Loop
	hub   *push.Hub[*lineman.Conn]
	ready bool
	done  once
}

// New makes a Server that has not started.
func New(c Config) (*Server, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Login == 0 {
		c.Login = 10 * time.Second
	}
	if c.Verify == nil {
		c.Verify = func(credential string) (string, error) { return credential, nil }
	}
	if c.Command == "" {
		c.Command = "lineman"
	}
	if c.Out == nil {
		c.Out = io.Discard
	}
	s := &Server{config: c, page: bytes.ReplaceAll(page, []byte("COMMAND"), []byte(c.Command))}
	s.pages, s.text = s.pageWorker(), s.textWorker()
	if c.Cert != "" {
		certificate, err := lineman.Certificate(c.Cert, c.Key)
		if err != nil {
			return nil, err
		}
		s.pages.TLS = &tls.Config{GetCertificate: certificate, MinVersion: tls.VersionTLS12}
	}
	return s, nil
}

// Worker is the worker to run. It has one process: a page is known to the process that holds its WebSocket.
func (s *Server) Worker() *lineman.Worker { return s.pages }

func (s *Server) start(l *lineman.Loop) error {
	hub, err := push.New(push.Options[*lineman.Conn]{Fanout: l.Broadcast, Do: l.Do, Close: closeWith})
	if err != nil {
		return err
	}
	s.loop, s.hub = l, hub
	inner, err := l.Listen(s.text)
	if err != nil {
		return err
	}
	s.ready = true
	s.greet(l.Listener(s.pages).Addr(), inner.Addr())
	return nil
}

func closeWith(c *lineman.Conn, code int, reason string) {
	_ = c.CloseWith(websocket.Code(code), reason) // it may have closed
}
