package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lineman-go/lineman/push/command"
)

// linePort is where the server's port for lines is, and who asks there: flags of commands that are back ends.
type linePort struct {
	server  string
	keyFile string
}

// addTo has a command take the flags.
func (p *linePort) addTo(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.server, "server", "127.0.0.1:5678", "`host:port` of the server's port for lines of back ends")
	f.StringVar(&p.keyFile, "key-file", "", "`file` that has the key to say")
}

// askTime is how long the server may take for an answer.
const askTime = 5 * time.Second

// backend is a connection to the server's port for lines.
type backend struct {
	net.Conn
	answers *bufio.Reader
}

// backendKey is the key that a back end says: that of a file or, without one, of the environment; empty if there is
// none.
func backendKey(file string) (string, error) {
	if file == "" {
		return os.Getenv("LINEMAN_KEY"), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--key-file %s: %w", file, bare(err))
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

// dial connects, and says the key if there is one.
func (p *linePort) dial() (*backend, error) {
	key, err := backendKey(p.keyFile)
	if err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("tcp", p.server, askTime)
	if err != nil {
		return nil, fmt.Errorf("no server on %s: start it by lineman start, or say where it is by --server: %w",
			p.server, bare(err))
	}
	b := &backend{c, bufio.NewReader(c)}
	if key != "" {
		if _, err := b.ask(map[string]any{"cmd": "auth", "key": key}, 0); err != nil {
			c.Close()
			return nil, err
		}
	}
	return b, nil
}

// ask asks the server for something that may wait, and returns its answer if that was done.
func (b *backend) ask(request map[string]any, wait time.Duration) (*command.Reply, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if err := b.SetDeadline(time.Now().Add(askTime + wait)); err != nil {
		return nil, err
	}
	if _, err := b.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	answer, err := b.answers.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w", b.RemoteAddr(), err)
	}
	var r command.Reply
	if err := json.Unmarshal(answer, &r); err != nil {
		return nil, fmt.Errorf("%s is no server of Lineman: it answers %.80q", b.RemoteAddr(), answer)
	}
	if !r.OK && r.Error != nil {
		return nil, errors.New(r.Error.Text)
	}
	return &r, nil
}
