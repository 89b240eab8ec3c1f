package server

import (
	"fmt"
	"iter"
	"maps"
	"strings"
	"sync/atomic"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/pusher"
)

// Pages of the Pusher protocol are on the port for pages, where their path says so. They show the key of an app, which
// is public: nobody is believed to be anybody. What a page shows a signature for, package pusher checks.

// apps are the applications of the Pusher protocol. All loops of the process have them.
type apps struct {
	*pusher.Apps
	own     map[*pusher.App]*app
	replays pusher.Replays // owned by the loop that has the back ends
}

// app is what the server has of one.
type app struct {
	origins []string
	most    int          // pages; 0: any number
	pages   atomic.Int64 // of this process
}

// pusherPage is a page of the Pusher protocol: the Value of its connection.
type pusherPage struct {
	page
	speaks *pusher.Page  // nil: it has no place, and is told why
	wrong  *pusher.Error // why
}

// pageOf is the page of a connection; nil if it is none of a page.
func pageOf(c *lineman.Conn) *page {
	switch p := c.Value().(type) {
	case *page:
		return p
	case *pusherPage:
		return &p.page
	}
	return nil
}

// speaksPusher reports whether a connection is a page of the Pusher protocol.
func (s *Server) speaksPusher(c *lineman.Conn) bool {
	_, is := c.Value().(*pusherPage)
	return is
}

// protocolOf is the name of the protocol that a page speaks, if that has no levels; empty if it has.
func (s *Server) protocolOf(c *lineman.Conn) string {
	if s.speaksPusher(c) {
		return "pusher"
	}
	return ""
}

// openApps makes the applications of the settings, and finds what holds for their channels.
func (s *Server) openApps() error {
	s.channelsOf = maps.Clone(s.config.Namespaces)
	if named := s.config.PusherApps(); len(named) > 0 {
		a := &apps{own: make(map[*pusher.App]*app)}
		var all []*pusher.App
		for _, n := range named {
			one := &pusher.App{
				ID: n.ID, Key: n.Key, Secret: n.Secret, ClientEvents: n.ClientEvents, ClientRate: n.ClientRate,
				MaxData: n.MaxData, MaxMembers: n.MaxMembers,
				SubscriptionCount: n.SubscriptionCount,
			}
			all = append(all, one)
			a.own[one] = &app{origins: n.Origins, most: n.Connections}
			s.nameChannels(one)
		}
		var err error
		if a.Apps, err = pusher.NewApps(all...); err != nil {
			return fmt.Errorf("server: %w", err)
		}
		s.apps = a
	}
	known := maps.Clone(s.channelsOf)
	known[""] = known["default"]
	delete(known, "default")
	var err error
	s.spaces, err = push.NewNamespaces(known)
	return err
}

// nameChannels adds what holds for the channels of an app, under what the settings say. What they say of all its
// channels holds for each kind, but who of others may subscribe: that is said of each kind, or by tokens alone.
func (s *Server) nameChannels(a *pusher.App) {
	base, said := s.config.Namespaces[a.ID]
	if !said {
		base = config.DefaultNamespace()
	}
	for key, wants := range a.Namespaces(push.Namespace{}) {
		n, said := s.config.Namespaces[key]
		if !said {
			if n = base; key != a.ID {
				n.Subscribe, n.MaxPresent = "token", max(n.MaxPresent, wants.MaxPresent)
			}
			if strings.HasPrefix(key, a.ID+":#") {
				n.Subscribe = "none"
			}
		}
		if wants.Presence == push.PresenceEvents {
			n.Presence = "events"
		}
		if wants.History.Class == push.Latest && !n.History.Keeps() {
			n.History = config.Retention{Class: "latest", TTL: wants.History.TTL}
		}
		s.channelsOf[key] = n
	}
}

// tellSubscribers reports whether pages of the channels of a namespace are told how many they are.
func (a *apps) tellSubscribers(namespace string) bool {
	id, name, _ := strings.Cut(namespace, ":")
	return a != nil && a.ByID(id) != nil && a.ByID(id).Counts(name)
}

// openPusher makes what speaks Pusher over the Hub, if there are apps.
func (s *Server) openPusher() (err error) {
	if s.apps == nil {
		return nil
	}
	s.pusher, err = pusher.New(pusher.Options[*lineman.Conn]{
		Hub: s.hub, Apps: s.apps.Apps, Send: s.say, SendAll: s.sendPusher, Hear: s.hearApp,
		Page:  func(c *lineman.Conn) *pusher.Page { return c.Value().(*pusherPage).speaks },
		Close: s.endPusher,
		Source: func(c *lineman.Conn) *push.Source {
			return &push.Source{Via: "page", Peer: peer{c}, Page: push.Recipient{Conn: s.hub.Name(c)}}
		},
	})
	return err
}

// isPusherPath reports whether a path is one of pages of the Pusher protocol. Whatever else the request says, it is
// none of another page: its origin is not looked at in the same way.
func (s *Server) isPusherPath(path []byte) bool {
	return s.apps != nil && pusher.IsPagePath(string(path))
}

// appOrigins are further origins of pages that show the key of an app.
func (s *Server) appOrigins(r websocket.Request) []string {
	addressed, ok := r.(interface {
		Path() []byte
		Query() []byte
	})
	if !ok || !s.isPusherPath(addressed.Path()) {
		return nil
	}
	h, _ := s.apps.ParseHandshake(string(addressed.Path()), string(addressed.Query()))
	if h.App == nil || len(s.apps.own[h.App].origins) == 0 {
		return []string{"*"} // who says something wrong is told so
	}
	return s.apps.own[h.App].origins
}

// handshakePusher decides whether a page may open its WebSocket.
func (s *Server) handshakePusher(c *lineman.Conn, r *http1.Request) error {
	p := pageOf(c)
	if why := s.guard.readmit(p, c.RemoteAddrPort()); why != "" {
		c.After(s.spareTime(), c.Abort)
		return &lineman.RefuseError{Status: 429, Reason: "too many connections: " + why, Header: retryAfter}
	}
	one := &pusherPage{page: page{login: &login{}, ip: p.ip, spent: p.spent}}
	h, wrong := s.apps.ParseHandshake(string(r.Path()), string(r.Query()))
	if one.wrong = wrong; wrong == nil {
		one.speaks = pusher.NewPage(h.App)
	}
	c.SetValue(one)
	return nil
}

// connectPusher makes a page a member, or tells it why it cannot be one.
func (s *Server) connectPusher(c *lineman.Conn, p *pusherPage) {
	switch {
	case p.wrong != nil:
		s.refuse(c, "app", websocket.Code(p.wrong.Code), p.wrong.Text)
	case s.crossing.over:
		p.speaks = nil
		s.closeWith(c, int(codeRestart), comeAgain)
	case !s.apps.own[p.speaks.App()].take():
		p.speaks = nil
		s.refuse(c, "app", pusher.CodeOverCapacity, "the app has as many connections as it may have")
	default:
		if err := s.pusher.Open(c); err != nil {
			s.refuse(c, "app", pusher.CodeBusy, "try again later", "error", err)
			return
		}
		s.loggedIn(c, &p.page)
	}
}

// take finds a place for one more page.
func (a *app) take() bool {
	if n := a.pages.Add(1); a.most == 0 || n <= int64(a.most) {
		return true
	}
	a.pages.Add(-1)
	return false
}

// leavePusher forgets a page of the Pusher protocol that gets nothing any more.
func (s *Server) leavePusher(p *pusherPage) {
	if p.speaks != nil {
		s.apps.own[p.speaks.App()].pages.Add(-1)
	}
}

// appPages are how many pages each app has in this process, by its id.
func (s *Server) appPages() map[string]int {
	if s.apps == nil {
		return nil
	}
	all := make(map[string]int, len(s.apps.own))
	for a, own := range s.apps.own {
		all[a.ID] = int(own.pages.Load())
	}
	return all
}

// restorePusher makes a page of the Pusher protocol of what has crossed.
func (s *Server) restorePusher(c *lineman.Conn, x *crossedPage) error {
	if s.apps == nil || x.member == nil {
		return pusher.ErrNoApp
	}
	speaks, err := pusher.RestorePage(s.apps.Apps, x.pusher)
	if err == nil {
		c.SetValue(&pusherPage{page: *x.page, speaks: speaks})
	}
	return err
}

// beginAgain has such a page, which is a member now, count for its app, and go on with what waits.
func (s *Server) beginAgain(c *lineman.Conn) {
	s.apps.own[c.Value().(*pusherPage).speaks.App()].pages.Add(1)
	s.loop.Do(func() { s.pusher.Restored(c) })
}

// pusherCode is the code that a page of the Pusher protocol is closed with, and what it is told. The codes of others
// have the same classes: 40xx do not come back, 41xx come back later. A restart is no reason to wait.
func pusherCode(code int, reason string) (int, string) {
	if strings.HasPrefix(reason, "{") { // it tells others when to come again
		reason = byeReasons[code]
	}
	if code == int(codeRestart) {
		code = pusher.CodeReconnect
	}
	return code, reason
}

// endPusher closes a page that was told why.
func (s *Server) endPusher(c *lineman.Conn, code int, reason string) {
	s.guard.refuse("app", "a page was closed", "remote", c.RemoteAddr(), "code", code, "error", reason)
	s.noteClosing(c, code, reason)
	_ = c.CloseWith(websocket.Code(code), reason) // it may have closed
}

// sendPusher sends a text to pages of the Pusher protocol, encoded once for those of all loops.
func (s *Server) sendPusher(to iter.Seq[*lineman.Conn], of push.Target, m push.Stored,
	encode func(dst []byte) []byte) int {
	if m.Forms != nil {
		key := push.FormKey{Kind: pusherForm, Of: of}
		return s.send(to, sharing(m.Forms, key, func() []byte { return encode(nil) }))
	}
	s.scratch = encode(s.scratch[:0])
	return s.send(to, outgoing{text: s.scratch})
}

// split takes apart who follows a target: pages of the Pusher protocol, and others. Both are good until together is
// called.
func (s *Server) split(to iter.Seq[*lineman.Conn]) (pushers, others []*lineman.Conn) {
	pushers, others = s.apart[0][:0], s.apart[1][:0]
	for c := range to {
		if s.speaksPusher(c) {
			pushers = append(pushers, c)
		} else {
			others = append(others, c)
		}
	}
	s.apart = [2][]*lineman.Conn{pushers, others}
	return pushers, others
}

// together ends that.
func (s *Server) together() {
	clear(s.apart[0])
	clear(s.apart[1])
}

// ofLevel1 leaves out pages of the Pusher protocol.
func (s *Server) ofLevel1(to iter.Seq[*lineman.Conn]) iter.Seq[*lineman.Conn] {
	if s.apps == nil {
		return to
	}
	return func(yield func(*lineman.Conn) bool) {
		for c := range to {
			if !s.speaksPusher(c) && !yield(c) {
				return
			}
		}
	}
}
