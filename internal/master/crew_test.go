//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/internal/channel"
)

// crewChannel tells a mate the number of its channel.
const crewChannel = "LINEMAN_TEST_CHANNEL"

// crew are the workers of a program whose processes are real, and do no more than they must.
func crew() []channel.Worker {
	return []channel.Worker{
		{Name: "a", Addr: "tcp://a", Count: 2}, {Name: "b", Addr: "tcp://b", Count: 2, ReusePort: true},
	}
}

// mate is a process of the crew: it answers its master, and every connection with a word.
type mate struct {
	peer       *channel.Peer
	assignment channel.Assignment

	mu     sync.Mutex // guards what follows
	ln     *net.TCPListener
	frozen bool
	thawed *sync.Cond
}

// runMate is the role of a mate.
func runMate([]string) error {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	m := &mate{}
	m.thawed = sync.NewCond(&m.mu)
	ready := make(chan struct{})
	peer, err := channel.Open(os.NewFile(channelFD, "channel"), func(r *channel.Request) {
		<-ready
		m.serve(r)
	})
	if err != nil {
		return err
	}
	m.peer = peer
	close(ready)
	for {
		select {
		case <-peer.Done():
			return nil
		case <-term:
			_, _ = peer.Call(context.Background(), channel.Recycle, nil, nil) // if it fails, the master has gone
		}
	}
}

func (m *mate) serve(r *channel.Request) {
	var body any
	var err error
	switch r.Op {
	case channel.Hello:
		err = r.Decode(&m.assignment)
		body = channel.Description{Version: channel.Version, Workers: crew(), Handover: 1}
	case channel.Start:
		go func() {
			if len(r.Files) > 0 {
				m.succeed(r)
			} else {
				r.Answer(nil, m.listen())
			}
		}()
		return
	case channel.Hand:
		go m.hand(r)
		return
	case channel.Freeze, channel.Resume:
		m.stand(r.Op == channel.Freeze)
	case channel.Leave, channel.Stop:
		r.Answer(nil, nil)
		os.Exit(0)
	case channel.Beat:
		body = channel.Heartbeat{Traffic: channel.Traffic{Messages: uint64(os.Getpid())}}
	}
	for _, fd := range r.Files {
		closeFile(fd)
	}
	r.Answer(body, err)
}

// listen asks for the socket of the mate's worker, and for one of its own.
func (m *mate) listen() error {
	w := crew()[m.assignment.Worker]
	own := channel.Address{Worker: w.Name, Outer: true, Network: "tcp", Target: "127.0.0.1:0", ReusePort: w.ReusePort}
	inside := channel.Address{
		Worker: fmt.Sprintf("inner of %s/%d", w.Name, m.assignment.ID), Network: "tcp", Target: "127.0.0.1:0",
	}
	for _, a := range []channel.Address{inside, own} {
		files, err := m.peer.Call(context.Background(), channel.Listen, a, nil)
		if err != nil {
			return err
		}
		if len(files) != 1 {
			return fmt.Errorf("%d sockets", len(files))
		}
		f := os.NewFile(uintptr(files[0]), "socket")
		ln, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return err
		}
		if a.Outer {
			m.ln = ln.(*net.TCPListener)
			go m.accept(m.ln)
		}
	}
	return nil
}

// accept answers connections, unless the mate is to stand still.
func (m *mate) accept(ln *net.TCPListener) {
	for {
		c, err := ln.Accept()
		if err == nil {
			fmt.Fprintf(c, "%s/%d %d\n", m.assignment.Name, m.assignment.ID, os.Getpid())
			c.Close()
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		m.mu.Lock()
		for m.frozen {
			m.thawed.Wait()
		}
		m.mu.Unlock()
	}
}

// stand has the mate stand still, or no longer.
func (m *mate) stand(still bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.frozen = still
	until := time.Time{}
	if still {
		until = time.Unix(1, 0)
	}
	if err := m.ln.SetDeadline(until); err != nil {
		panic(err)
	}
	m.thawed.Broadcast()
}
