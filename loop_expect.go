package lineman

import (
	"fmt"

	"github.com/lineman-go/lineman/internal/handover"
)

// Expect makes a worker known to the loop that gets connections only by SetWorker. Then Restore finds it by its name,
// if a predecessor hands over connections of it. Call it in OnStart. An error says that the worker is wrong.
func (l *Loop) Expect(w *Worker) error {
	_, err := l.serviceOf(w)
	return err
}

// ExpectDial is for connections that a Dialer of this name has dialed in the predecessor. Here they have the callbacks
// and the limits of d, and are dialed at addr from now on. ExpectDial dials nothing by itself. Call it in OnStart. An
// error is about the arguments.
func (l *Loop) ExpectDial(addr string, d Dialer) error {
	target, err := l.newTarget(addr, d)
	if err != nil {
		return err
	}
	if d.Restore == nil {
		return fmt.Errorf("lineman: expect dial %s: set Save and Restore", addr)
	}
	if l.expected == nil {
		l.expected = make(map[string]*dialing)
	}
	l.expected[target.own.name] = target
	return nil
}

// recipient is who goes on with the connection of a record: a service, and how it is dialed, if it was. The error is
// why nobody does.
func (l *Loop) recipient(r *handover.Record) (*service, *dialing, error) {
	var to *service
	var dial *dialing
	if r.Dialer != "" {
		expected := l.expected[r.Dialer]
		if expected == nil {
			return nil, nil, fmt.Errorf("the new program does not expect what dialer %q has dialed", r.Dialer)
		}
		one := *expected
		one.wait = r.Waited
		if !r.Absent {
			one.since = l.now.Add(-r.Lasted)
		}
		to, dial = one.own, &one
	}
	if r.Dialer == "" || r.Worker != "" {
		if to = l.named(r.Worker); to == nil {
			return nil, nil, unknownWorker(r.Worker)
		}
	}
	if to.worker.Restore == nil {
		return nil, nil, fmt.Errorf("worker %q of the new program has no Restore", to.name)
	}
	return to, dial, nil
}
