package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// Conn is a connection of a page, as it is found.
type Conn struct {
	Conn     push.Target `json:"conn"`
	UID      string      `json:"uid"`
	Node     string      `json:"node,omitempty"` // the name of that which has it; empty: there is one only
	Remote   string      `json:"remote"`
	Level    int         `json:"level"`              // of the protocol that it speaks
	Protocol string      `json:"protocol,omitempty"` // another one, which has no levels
	Stream   bool        `json:"stream,omitempty"`   // it gets server-sent events
	Since    time.Time   `json:"since,omitzero"`     // when it has logged in; zero: not known
	Groups   []string    `json:"groups,omitempty"`   // that it is in
	Channels []string    `json:"channels,omitempty"` // that it gets
	Expires  time.Time   `json:"expires,omitzero"`   // its credential
	Sent     uint32      `json:"sent"`               // messages
	Bytes    uint64      `json:"bytes"`              // that the kernel took of them
	Waits    int         `json:"waits"`              // bytes that it has not taken yet
}

// patience is how long the loop, or other nodes, may take to answer.
const patience = 5 * time.Second

// mostFound is how many connections are told at once.
const mostFound = 100

// find tells of the connections of a target.
func (d *Dashboard) find(w http.ResponseWriter, r *http.Request, s *session) {
	to := push.Target(r.URL.Query().Get("to"))
	if !d.mayAbout(w, s, command.Read, to) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	conns, whole, err := d.options.Find(ctx, to, mostFound)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answerJSON(w, http.StatusOK, map[string]any{"conns": conns, "most": mostFound, "incomplete": !whole})
}

// mayAbout reports whether a session may do what needs a scope about a target. Else it has answered.
func (d *Dashboard) mayAbout(w http.ResponseWriter, s *session, scope command.Scope, to push.Target) bool {
	if err := to.Check(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	if !s.may(scope) || s.login.permit != nil && !matches(s.login.permit, to) {
		http.Error(w, fmt.Sprintf("%s has not the scope %s for that", s.login.name, scope), http.StatusForbidden)
		return false
	}
	return true
}

func matches(p *command.Permit, to push.Target) bool {
	return len(p.Targets) == 0 || push.Match(p.Targets, string(to))
}

// request is what of a command is in the log: whom it is about, and nothing of what is sent.
type request struct {
	To      any    `json:"to"`
	UID     any    `json:"uid"`
	Group   string `json:"group"`
	Channel string `json:"channel"`
}

// String is as much of it as the log has.
func (q *request) String() string {
	var about []string
	for _, one := range []any{q.To, q.UID, q.Group, q.Channel} {
		if one != nil && one != "" {
			about = append(about, fmt.Sprint(one))
		}
	}
	return fmt.Sprintf("%.300s", strings.Join(about, " "))
}

// reads are the commands that change nothing, and are not worth a line in the log.
var reads = map[string]bool{
	"online": true, "count": true, "list": true, "sessions": true, "groups": true, "channels": true, "nodes": true,
	"presence": true, "presence_count": true, "presence_stats": true, "history": true,
}

// do runs a command of the table, as far as the session may.
func (d *Dashboard) do(w http.ResponseWriter, r *http.Request, s *session) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who asked has gone
	}
	name := r.PathValue("command")
	reply, err := d.run(r.Context(), name, body, command.Caller{
		Permit: s.login.permit, From: &push.Source{Via: "dashboard", Peer: remote(r.RemoteAddr), Key: s.login.name},
	})
	if !reads[name] {
		d.audit(r, s, name, body, reply, err)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answerJSON(w, http.StatusOK, json.RawMessage(reply.JSON()))
}

// remote is where a request comes from.
type remote string

func (r remote) String() string { return string(r) }

// audit logs a command that changes something, or that was refused.
func (d *Dashboard) audit(r *http.Request, s *session, name string, body []byte, reply command.Reply, err error) {
	about := &request{}
	_ = json.Unmarshal(body, about) // what is none is refused, and told of
	args := []any{"who", s.login.name, "remote", r.RemoteAddr, "command", fmt.Sprintf("%.40s", name), "about", about}
	switch {
	case err != nil:
		args = append(args, "error", err)
	case reply.Error != nil:
		args = append(args, "error", string(reply.Error.Code))
	case reply.N != nil:
		args = append(args, "n", *reply.N)
	}
	d.options.Log.Info("lineman: a command by the dashboard", args...)
}

// errBusy is the answer where the loop, or another node, takes too long. What was asked may still be done.
var errBusy = errors.New("the server has not answered in time: look whether it was done")

// run runs a command on the loop.
func (d *Dashboard) run(ctx context.Context, name string, body []byte, by command.Caller) (command.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answers := make(chan command.Reply, 1)
	asked := d.options.Loop.Do(func() {
		d.options.Do(body, name, by, func(reply command.Reply) { answers <- reply })
	})
	if !asked {
		return command.Reply{}, errBusy
	}
	select {
	case reply := <-answers:
		return reply, nil
	case <-ctx.Done():
		return command.Reply{}, errBusy
	}
}
