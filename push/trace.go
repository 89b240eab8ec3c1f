package push

import (
	"context"
	"fmt"
	"log/slog"
)

// Source is where a publication or a command comes from: for the debug log, and for who watches. Immutable.
type Source struct {
	Via  string       // the port by which it came: line, http, page
	Peer fmt.Stringer // the address of who sent it; nil: not told
	Key  string       // the name of its key; empty: it has none
	Page Recipient    // the connection that sent it; zero: it was a back end
}

// Trace is the debug log: a record for each step of a publication, and for each login, subscription and refusal. It
// owns their wording; docs/push.md has them all. A nil Trace writes nothing, nor does one whose logger leaves out the
// level Debug: then a call costs a look at the level. It may be used from any goroutine.
type Trace struct {
	log  *slog.Logger
	node string
}

// On reports whether anything is written.
func (t *Trace) On() bool { return t != nil && t.log.Enabled(context.Background(), slog.LevelDebug) }

// write writes a record of a node.
func (t *Trace) write(what string, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("node", t.node))
	t.log.LogAttrs(context.Background(), slog.LevelDebug, "push: "+what, attrs...)
}

// Refusal tells that a command was refused, of which nothing was done. from may be nil, and to empty.
func (t *Trace) Refusal(from *Source, cmd string, to []Target, err error) {
	if t.On() {
		attrs := append(from.attrs(), slog.String("cmd", cmd), targetsAttr(to))
		t.write("refusal", append(attrs, slog.String("error", err.Error()))...)
	}
}

// shownConns and shownTargets are how many of each a record has.
const (
	shownConns   = 20
	shownTargets = 20
)

// event tells of a step of a publication.
func (t *Trace) event(e *Event) {
	var attrs []slog.Attr
	if e.Number != "" {
		attrs = append(attrs, slog.String("number", e.Number))
	}
	switch e.Step {
	case Published, Refused:
		attrs = append(append(attrs, e.From.attrs()...), targetsAttr(e.To), slog.Int("size", len(e.Data)))
	case Delivered:
		attrs = append(attrs, slog.Int("n", e.N), slog.Int("full", e.Full), slog.Any("conns", e.Conns))
	case Finished:
		attrs = append(attrs, slog.Int("n", e.N))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	t.write(string(e.Step), attrs...)
}

// login and the following tell of a connection.
func (t *Trace) login(r Recipient, remote string) {
	attrs := r.attrs()
	if remote != "" {
		attrs = append(attrs, slog.String("remote", remote))
	}
	t.write("login", attrs...)
}

func (t *Trace) logout(r Recipient) { t.write("logout", r.attrs()...) }

func (t *Trace) join(r Recipient, to Target) {
	t.write("join", append(r.attrs(), slog.String("target", string(to)))...)
}

func (t *Trace) leave(r Recipient, from Target) {
	t.write("leave", append(r.attrs(), slog.String("target", string(from)))...)
}

// attrs are those of a source, as a group; none if it is not known.
func (s *Source) attrs() []slog.Attr {
	if s == nil {
		return nil
	}
	of := []any{slog.String("via", s.Via)}
	if s.Peer != nil {
		of = append(of, slog.String("remote", s.Peer.String()))
	}
	if s.Key != "" {
		of = append(of, slog.String("key", s.Key))
	}
	if s.Page.Conn != "" {
		of = append(of, slog.String("conn", string(s.Page.Conn)), slog.String("uid", s.Page.UID))
	}
	return []slog.Attr{slog.Group("from", of...)}
}

func (r Recipient) attrs() []slog.Attr {
	return []slog.Attr{slog.String("conn", string(r.Conn)), slog.String("uid", r.UID)}
}

// targetsAttr is that of some targets, and of how many there are if these are not all shown.
func targetsAttr(to []Target) slog.Attr {
	if len(to) <= shownTargets {
		return slog.Any("to", to)
	}
	return slog.Any("to", fmt.Sprintf("%v and %d more", to[:shownTargets], len(to)-shownTargets))
}

// traceTo has a Trace be told of all that happens, if anything of it is to be written.
func (h *Hub[C]) traceTo(log *slog.Logger) {
	if log == nil {
		return
	}
	t := &Trace{log, h.node}
	if t.On() {
		h.trace = t
		all := Watch{Target: Everyone, MaxConns: shownConns, Tell: t.event}
		h.watches = append(h.watches, &watching[C]{Watch: all, hub: h})
	}
}

// Trace is that of Options.Log; nil if nothing is to be written.
func (h *Hub[C]) Trace() *Trace { return h.trace }

// remote is where a connection comes from; empty if that is not told.
func (h *Hub[C]) remote(m *Member[C]) string {
	if h.options.Remote == nil {
		return ""
	}
	return h.options.Remote(m.conn)
}
