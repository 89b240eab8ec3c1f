package lineman

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// Certificate reads a certificate and its key from PEM files, and returns a function for tls.Config.GetCertificate.
// That function reads them again after they have changed, at most once a second, when a handshake comes. If they cannot
// be read then, the log says so, and the old certificate stays in use. The error is about the first reading.
func Certificate(certFile, keyFile string) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.readLocked(); err != nil {
		return nil, fmt.Errorf("lineman: certificate: %w", err)
	}
	return c.get, nil
}

// certificate is a pair of files.
type certificate struct {
	certFile, keyFile string

	mu     sync.Mutex // guards the following
	pair   *tls.Certificate
	state  [2]fileState // of what was read, or tried, last
	looked time.Time
}

// fileState tells whether a file has changed.
type fileState struct {
	modified time.Time
	size     int64
}

const lookAgain = time.Second

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookAgain {
		return c.pair, nil
	}
	if state := c.states(); state != c.state {
		if err := c.readLocked(); err != nil {
			slog.Error("lineman: certificate: the old one stays in use", "error", err)
		}
	}
	c.looked = time.Now()
	return c.pair, nil
}

func (c *certificate) readLocked() error {
	c.state = c.states() // before the files are read, so that no change is missed
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.looked = &pair, time.Now()
	return nil
}

// states are zero where a file cannot be seen: reading it says why.
func (c *certificate) states() (s [2]fileState) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return s
}

// configFor is a configuration as a protocol can use it: HTTP is 1.1 only.
func configFor(config *tls.Config, k kind) *tls.Config {
	config = config.Clone()
	if k == speaksHTTP || k == speaksWebSocket {
		config.NextProtos = slices.DeleteFunc(slices.Clone(config.NextProtos), func(p string) bool { return p == "h2" })
		if !slices.Contains(config.NextProtos, "http/1.1") {
			config.NextProtos = append(config.NextProtos, "http/1.1")
		}
	}
	return config
}
