// Package server is the push server: browsers on one port, back ends on two others, and a push.Hub between them, all on
// one loop, or the browsers on several.
package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/admin"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/devpage"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
	"github.com/lineman-go/lineman/push/level1"
	"github.com/lineman-go/lineman/push/metrics"
	"github.com/lineman-go/lineman/push/pusher"
)

// Options are what a Server needs of the program.
type Options struct {
	// Credentials opens what tells who a page is, in the process that serves. nil means that a page may choose any
	// uid.
	Credentials func() (Credentials, error)

	// Broker joins this process with others that serve; nil means that it is alone.
	Broker push.Broker

	// Journal opens where history is kept, beside memory, in the process that serves; nil: nowhere.
	Journal func() (Journal, error)

	// BrokerStats tells, from any goroutine, how the Broker is; nil means that nobody knows.
	BrokerStats func() metrics.Broker

	// BrokerWait returns when others know that this process has left the Broker, or after a second; nil means that they
	// do at once.
	BrokerWait func()

	// Claim notes that something has come, among what is alike, for all that the Broker joins, and tells for how long
	// it was known before; 0: it is new. It is remembered for so long as keep says. It is called on goroutines, and
	// waits. nil: this process is alone.
	Claim func(ctx context.Context, group, name string, keep time.Duration) (known time.Duration, err error)

	TLS     *tls.Config  // of the port for browsers; nil means none
	Log     *slog.Logger // nil means slog.Default(), as it is when the server starts
	Command string       // how people call this program; empty means lineman
	Out     io.Writer    // gets the greeting; nil means nobody does
}

// Credentials tell who a page is. Verify, Revoke and Refresh are called on goroutines, and may wait, but for a Verify
// that is quick.
type Credentials interface {
	// IsQuick reports whether Verify takes microseconds, and waits for nothing: then it is called on the loop.
	IsQuick() bool

	// Verify tells who has a credential. The text of an error reaches nobody but the log.
	Verify(ctx context.Context, credential string) (Identity, error)

	// Revoke has the credentials of a uid that were issued up to an instant be refused, by processes that start later
	// too.
	Revoke(ctx context.Context, uid string, at time.Time) error

	// Learn is told, on the loop, what another process has revoked.
	Learn(uid string, at time.Time)

	// Revoked is all that was revoked, by uid, in seconds of Unix time, as far as a process that starts later does not
	// know it by itself: the successor of this one is told by Learn.
	Revoked() map[string]int64

	// Refresh learns what other processes have revoked while they could not be reached, and returns whose credentials
	// that concerns. What this one knows, and was lost where all read it, it puts back: restored tells that.
	Refresh(ctx context.Context) (uids []string, restored bool, err error)

	Close() error
}

// anybody is who it says it is, and may have what a token could give.
type anybody struct{}

func (anybody) IsQuick() bool { return true }

func (a anybody) Verify(_ context.Context, credential string) (Identity, error) {
	return a.identity(credential), nil
}

func (anybody) identity(credential string) Identity {
	return Identity{UID: credential, Channels: everything, Publish: everything}
}

// everything has all channels.
var everything = []string{"*"}

func (anybody) Revoke(context.Context, string, time.Time) error { return nil }
func (anybody) Learn(string, time.Time)                         {}
func (anybody) Revoked() map[string]int64                       { return nil }
func (anybody) Refresh(context.Context) ([]string, bool, error) { return nil, false, nil }
func (anybody) Close() error                                    { return nil }

// Identity is what a credential says.
type Identity struct {
	UID      string
	Channels []string  // patterns of channels that it may subscribe to, as push.Match has them
	Publish  []string  // likewise, of those that it may publish to
	Groups   []string  // joined at once
	Expires  time.Time // when its connections are closed with 4200; zero means never

	Info    json.RawMessage // what others are told of it where they are told who is present; nil: nothing
	Session json.RawMessage // kept with its connection; nil: nothing
}

// Server is the push server of one loop.
type Server struct {
	config    config.Config
	options   Options
	home      *Server      // of the first loop of the process; nil: that is this one
	others    []*Server    // of the other loops; those of the first one know none. Immutable once it serves.
	memory    *push.Memory // joins them; nil where there is one loop
	keys      keyring
	openAPI   bool // the HTTP API wants no key
	pages     *lineman.Worker
	streams   *lineman.Worker  // of pages, those that get server-sent events
	text      *lineman.Worker  // nil without a port for lines
	known     *lineman.Worker  // of its connections that have said a key; nil where none is needed
	api       *lineman.Worker  // nil without an HTTP API
	admin     *lineman.Worker  // nil without a port for operators
	dashboard *admin.Dashboard // of that port
	metrics   *metrics.Metrics

	// Immutable from OnStart on, and those of all loops.
	apps       *apps                             // nil: there are none
	channelsOf map[string]config.Namespace       // what holds for channels: see openApps
	spaces     push.Namespaces[config.Namespace] // the same, to be found

	// Owned by the loop, from OnStart on.
	devPage     *devpage.Page // nil where there is none
	description []byte        // of the HTTP API
	loop        *lineman.Loop
	log         *slog.Logger
	who         Credentials
	decides     deciders
	tellers     []*teller
	journal     Journal // nil: there is none
	hub         *push.Hub[*lineman.Conn]
	pusher      *pusher.Service[*lineman.Conn] // nil: there are no apps
	apart       [2][]*lineman.Conn             // see split
	table       *command.Table[*lineman.Conn]
	guard       *guard
	hearing     hearing
	expiries    expiries
	budget      budget
	lag         lag
	heartbeats  heartbeats
	replays     replayCache
	warned      int64              // pages whose credentials expire up to this second were told so
	renewals    map[uint64]renewal // of pages, by the connections' ids
	speaking    speaking
	scratch     []byte // for the frame at hand
	answer      []byte // to the HTTP request at hand
	streaming   streaming
	slice       timeSlice
	figuring    figuring
	nodes       nodes
	crossing    crossing
	queued      queued
	scavenger   scavenger
	ready       bool
	stopping    bool
	stopped     int                 // Servers of the process that stop
	emptyLoops  int                 // those of them that have sent their pages away
	left        bool                // it has left the other processes
	emptied     time.Time           // when the last page has been sent away, while a drain lasts
	links       int                 // times that the link to other processes has come or gone
	shut        []*lineman.Listener // for back ends, until other processes are reached

	revocations int      // that were learned: a credential that was checked before one is checked again
	informed    bool     // what was revoked has been read once, or need not be: credentials can be believed
	unread      bool     // it has not been read since the link is up, or not yet
	gap         *gap     // nil: none was ever told of
	late        bool     // it should have been by now
	held        []func() // logins that wait until it is informed, or late
}

// checkTime is within how many seconds it is checked that all has come of what other processes publish.
const checkTime = 15

// New makes a Server that has not started. The configuration was checked.
func New(c config.Config, o Options) *Server {
	o.Command = cmp.Or(o.Command, "lineman")
	if o.Out == nil {
		o.Out = io.Discard
	}
	s := &Server{config: c, options: o, keys: newKeyring(c.API.Keys), figuring: newFiguring()}
	s.openAPI = len(s.keys) == 0 && config.Loopback(c.API.Listen)
	s.pages, s.streams = s.pageWorker(), s.streamWorker()
	if c.Text.Listen != "" {
		s.text = s.textWorker()
	}
	if c.API.Listen != "" {
		s.api = s.apiWorker()
	}
	s.metrics = metrics.New(s.take)
	s.lag.observe = s.metrics.Lag
	return s
}

func (s *Server) start(l *lineman.Loop) (err error) {
	if s.home != nil {
		return s.startBeside(l)
	}
	if s.log = s.options.Log; s.log == nil {
		s.log = slog.Default() // of this process
	}
	if err = s.openWho(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.who.Close())
			s.decides.close()
			s.closeTellers()
			s.closeJournal()
		}
	}()
	s.begin(l)
	if err = errors.Join(s.guardPorts(), s.openApps()); err != nil {
		return err
	}
	if err = s.openDeciders(); err != nil {
		return err
	}
	if err = s.openHub(); err != nil {
		return err
	}
	s.openDispatcher()
	s.joinPeers()
	s.table = command.New(s.hub,
		command.Options{
			Revoke: s.revoke(), TooLarge: "limits.publish, or max_message of a namespace, says so",
			NoHistory:  "history of its namespace, history.uids or history.groups says what is kept",
			NoPresence: "presence of its namespace says whether it is known",
			Dispatcher: s.hearing.dispatcher, Reply: s.reply, Watch: s.watchAll(),
		})
	s.slice.loop, s.description = l, s.table.OpenAPI(lineman.Version())
	if s.config.Admin.Listen != "" {
		s.openDashboard()
		s.admin = s.adminWorker(l.ID())
	}
	addrs, err := s.listen(l)
	if err != nil {
		return err
	}
	if err = s.expectWorkers(l); err != nil {
		return err
	}
	if err = s.openTellers(); err != nil {
		return err
	}
	s.keepTime(l)
	s.ready = true
	s.openDevPage(addrs[s.text], addrs[s.api])
	if l.ID() == 0 {
		s.printBanner(l.Listener(s.pages).Addr(), addrs[s.text], addrs[s.api], addrs[s.admin])
	}
	return nil
}

// begin makes what the Server of each loop has for its pages.
func (s *Server) begin(l *lineman.Loop) {
	s.loop, s.expiries, s.heartbeats = l, make(expiries), newHeartbeats(s.config.Ping, level1.Heartbeat{}.Append(nil))
	s.renewals = make(map[uint64]renewal)
	s.speaking.begin()
	s.streaming.comments = newHeartbeats(s.config.Ping, []byte(":\n\n"))
	h := &s.hearing
	h.speakers, h.held = make(map[uint64]*speaker), make(map[uint64]*lineman.Conn)
	if s.crossing.settling = l.Succeeds(); s.crossing.settling {
		l.Do(s.settle)
	}
}

// keepTime has the server do what it does from time to time.
func (s *Server) keepTime(l *lineman.Loop) {
	l.Every(time.Second, func() {
		s.sample()
		s.expire(time.Now())
		s.heartbeats.beat(s.send)
		s.streaming.comments.beat(s.send)
		s.hub.CheckTails(checkTime)
		if s.home == nil {
			s.followRolls()
			s.hearing.dispatcher.Beat(s.hub.Linked())
		}
	})
	l.Every(burstTime*time.Second, s.tidy)
	if s.home == nil {
		l.Do(func() { s.sampleAll((*Server).counters) }) // what follows is counted, behind settle
		l.After(patienceAtStart, s.overdue)
	}
}

// openWho opens what tells who a page is.
func (s *Server) openWho() (err error) {
	s.who = anybody{}
	if s.config.AsksWho() || len(s.config.Pusher.Apps) > 0 && !s.config.Dev {
		s.who = nobody{}
	}
	s.unread = s.options.Broker != nil && s.options.Credentials != nil
	s.informed = !s.unread || s.config.Token.FailOpen
	if s.options.Credentials != nil {
		s.who, err = s.options.Credentials()
	}
	return err
}

// openHub makes the hub, over the journal if there is to be one.
func (s *Server) openHub() (err error) {
	if s.home == nil {
		if err = s.openJournal(); err != nil {
			return err
		}
	}
	rollChanged := s.rollChanged
	if s.home != nil {
		rollChanged = func(push.Roll, string, bool) {} // the first loop tells it
	}
	s.hub, err = push.New(push.Options[*lineman.Conn]{
		Fanout: s.fanout, Do: s.loop.Do, Close: s.closeWith,
		After:  func(d time.Duration, f func()) { s.loop.After(d, f) },
		Broker: s.broker(), Succeeds: s.loop.Succeeds(), Linked: s.linked, Revoked: s.revoked, Restored: s.restored,
		Took: s.metrics.Took, Log: s.log, Remote: func(c *lineman.Conn) string { return c.RemoteAddr().String() },
		Reconnect:   s.reconnectWindow(),
		SingleLogin: s.config.SingleLogin, MaxPlaces: s.config.Limits.Places, MaxMessage: s.config.Limits.Publish,
		Namespaces: s.namespaces(), HistoryBytes: s.config.History.Memory, Journal: s.journal,
		UIDHistory: retention(s.config.History.UIDs), GroupHistory: retention(s.config.History.Groups),
		Followers: followers{s}, PresenceChanged: s.presenceChanged, PresenceRenewed: s.presenceRenewed,
		Told: s.toldByPeer, RollChanged: rollChanged, RollDelay: orAtOnce(s.config.Events.Debounce),
		MaxRecover: level1.MaxHist, MaxRecoverBytes: s.recoverBytes(), Counted: s.counted(),
		Tally: s.figuring.tally.Add, Inquired: s.inquired, Attended: s.attending(),
		SubscribersChanged: s.counting(),
	})
	if err == nil {
		err = s.openPusher()
	}
	return err
}

// broker joins the Hub with others; nil if there are none.
func (s *Server) broker() push.Broker {
	if s.memory != nil {
		return s.memory
	}
	return s.options.Broker
}

// counted has the guard count out members that go; nil where there is one loop. Those that come it has counted when
// they have logged in.
func (s *Server) counted() func(uid string, by int) {
	if s.memory == nil {
		return nil
	}
	return func(uid string, by int) {
		if by < 0 {
			s.guard.uncount(uid)
		}
	}
}

// listen adds the ports beside that for pages. Those for back ends are shut until the link to other nodes is up. That
// for operators names the process.
func (s *Server) listen(l *lineman.Loop) (map[*lineman.Worker]net.Addr, error) {
	addrs := map[*lineman.Worker]net.Addr{}
	for _, w := range []*lineman.Worker{s.text, s.api, s.admin} {
		if w == nil {
			continue
		}
		inner, err := l.Listen(w)
		if err != nil {
			return nil, err
		}
		addrs[w] = inner.Addr()
		if s.options.Broker != nil && w != s.admin {
			inner.Pause()
			s.shut = append(s.shut, inner)
		}
	}
	s.nodes = newNodes(addrs[s.admin])
	return addrs, nil
}
