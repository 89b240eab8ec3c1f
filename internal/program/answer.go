//go:build unix

package program

import (
	"context"
	"encoding/json"
	"os"
)

// answer does what a command asks.
func (r *running) answer(ctx context.Context, request json.RawMessage, send func(any) error) {
	var o order
	err := json.Unmarshal(request, &o)
	last := reply{PID: os.Getpid(), Daemon: r.daemon}
	if err == nil {
		err = r.obey(ctx, o, &last, send)
	}
	if err != nil {
		last.Error, last.Code = err.Error(), ExitCode(err)
	}
	_ = send(last) // who asked has gone
}

func (r *running) obey(ctx context.Context, o order, last *reply, send func(any) error) (err error) {
	switch o.Command {
	case "stop":
		r.stop(o.ending())
		return nil
	case "reload":
		return r.reload(ctx, o.manner(), o.Program, last) // to its end, even if who asked goes away
	case "check":
		return last.tell(r.check(o.manner(), o.Program))
	case "status":
		last.Status, err = json.Marshal(r.TellStatus(r.state()))
		return err
	case "connections":
		return r.supervisor.Conns(ctx, func(worker string, id, pid int, page json.RawMessage) error {
			told, err := r.TellConns(worker, id, pid, page)
			if err != nil {
				return err
			}
			text, err := json.Marshal(told)
			if err != nil {
				return err
			}
			return send(reply{Conns: text})
		})
	}
	return Usage("the running program does not know the command %q", o.Command)
}

func (r *running) state() State {
	snapshot := r.supervisor.Snapshot()
	r.mu.Lock()
	defer r.mu.Unlock()
	return State{Snapshot: snapshot, Began: r.began, Reloads: r.reloads}
}
