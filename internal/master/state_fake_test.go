//go:build unix

package master

import (
	"context"
	"errors"
	"fmt"

	"github.com/lineman-go/lineman/internal/channel"
)

// A machine of a test outlives its Supervisors: processes and sockets go on, and are found by their numbers.

// Suspend has nothing to hold up: a process that is made up asks on the goroutine of the test.
func (f *fake) Suspend(ctx context.Context) (channel.Suspended, error) {
	f.machine.mu.Lock()
	act := f.answers[suspended]
	f.machine.mu.Unlock()
	switch {
	case isClosed(f.exited):
		return channel.Suspended{}, channel.ErrClosed
	case act != nil:
		if err := act(f); err == errNever {
			<-ctx.Done()
			return channel.Suspended{}, ctx.Err()
		}
	}
	f.note("suspend")
	return channel.Suspended{FD: f.pid}, nil
}

// suspended is not asked of a process: it is what a test says of its channel.
const suspended channel.Op = "(suspended)"

func (m *machine) HoldEnds() func() { return func() {} }

func (f *fake) Resume() { f.note("continue") }

func (f *fake) note(what string) {
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	f.machine.events = append(f.machine.events, fmt.Sprintf("%s %s %d", what, f.name, f.pid))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (m *machine) Adopt(saved SavedProcess, answer Answer) (Process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if saved.PID > len(m.processes) || saved.Channel != nil && saved.Channel.FD != saved.PID {
		return nil, errors.New("there is no such process")
	}
	f := m.processes[saved.PID-1]
	f.ask = answer
	return f, nil
}

func (s *fakeSocket) File() (fd int, path string) { return len(s.address), s.address }

func (m *machine) Reopen(_ int, path string) (Socket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sockets[path]
	if s == nil {
		return nil, errors.New("there is no such socket")
	}
	return s, nil
}
