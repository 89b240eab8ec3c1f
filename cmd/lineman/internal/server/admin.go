package server

import (
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/command"
	"github.com/lineman-go/lineman/push/metrics"
)

// adminWorker is the port for who runs the server: metrics and profiles. It works on goroutines, so a profile holds nobody up. The
// process that is counted by id has a port of its own.
func (s *Server) adminWorker(id int) *lineman.Worker {
	pages := http.NewServeMux()
	pages.Handle("GET /metrics", s.metrics.Handler())
	pages.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	pages.HandleFunc("GET /ready", s.answerReady)
	pages.HandleFunc("GET /debug/pprof/", pprof.Index)
	pages.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	pages.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	pages.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	pages.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol) // go tool pprof asks so
	pages.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	w := &lineman.Worker{
		Name: "admin", Addr: "http://" + portOf(s.config.Admin.Listen, id), Logger: s.options.Log, Handler: s.onlyOperators(pages),
		Limits: lineman.Limits{KeepAlive: askingTime, Message: askingTime},
	}
	w.OnAccept = func(c *lineman.Conn) error { return s.placeIn(&s.guard.operators, c) }
	w.OnGone = func(c *lineman.Conn) { s.guard.exit(&s.guard.operators, c.Value().(place)) }
	return w
}

// portOf is an address with the port that comes so many after its own; a port that the system is to choose stays that.
func portOf(addr string, after int) string {
	host, port, _ := net.SplitHostPort(addr)
	if n, err := strconv.Atoi(port); err == nil && n > 0 {
		port = strconv.Itoa(n + after)
	}
	return net.JoinHostPort(host, port)
}

// onlyOperators turns away pages, foreign host names and, where others reach the port, who has no key of scope admin.
func (s *Server) onlyOperators(h http.Handler) http.Handler {
	open := config.Loopback(s.config.Admin.Listen)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPage(r.Method, r.Header.Get) || !s.knowsHost(r.Host) {
			s.turnAwayOperator("page", "a page, or a host that is not in api.hosts, asked the port for operators", r.RemoteAddr)
			http.Error(w, "pages, and host names that are not in api.hosts, cannot use this port", http.StatusForbidden)
			return
		}
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		p := s.keys.find(key)
		if !open && (p == nil || !strings.EqualFold(scheme, "Bearer") || !slices.Contains(p.Scopes, command.Admin)) {
			s.turnAwayOperator("key", "an operator was turned away: no key with the scope admin", r.RemoteAddr)
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "want Authorization: Bearer KEY, with a key of api.keys that has the scope admin", http.StatusUnauthorized)
			return
		}
		if isEncoded(slices.Values(r.Header.Values("Content-Encoding"))) {
			w.Header().Set("Accept-Encoding", "identity")
			http.Error(w, "want a body without Content-Encoding", http.StatusUnsupportedMediaType)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// turnAwayOperator counts and logs a refusal, from any goroutine.
func (s *Server) turnAwayOperator(why, message, remote string) {
	s.loop.Do(func() { s.guard.refuse(why, message, "remote", remote) })
}

func (s *Server) answerReady(w http.ResponseWriter, _ *http.Request) {
	ready := false
	if err := onLoop(s.loop, patience, func() { ready = s.isReady() }); err != nil || !ready {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// askingTime is how long a connection may be there without a request, or with half of one.
const askingTime = 10 * time.Second

// patience is how long the loop may take to answer an operator: less than a scrape of Prometheus waits, which is 10 s.
const patience = 5 * time.Second

var errBusy = errors.New("server: the loop does not answer")

// onLoop runs f on a loop, and returns when it has run, or errBusy: then it may still run.
func onLoop(l *lineman.Loop, patience time.Duration, f func()) error {
	ran := make(chan struct{})
	if !l.Do(func() { f(); close(ran) }) {
		return errBusy
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-ran:
		return nil
	case <-late.C:
		return errBusy
	}
}

// take is how the server is now.
func (s *Server) take() (metrics.Snapshot, error) {
	found := make(chan metrics.Snapshot, 1)
	if err := onLoop(s.loop, patience, func() { found <- s.snapshot(time.Now()) }); err != nil {
		return metrics.Snapshot{}, err
	}
	return <-found, nil
}

func (s *Server) snapshot(now time.Time) metrics.Snapshot {
	s.queued.measure(s.hub.Members("*"), now)
	l, g := s.loop.Stats(), s.guard
	var broker metrics.Broker
	if s.options.BrokerStats != nil {
		broker = s.options.BrokerStats()
	}
	return metrics.Snapshot{
		Broker: broker,
		Stats:  s.hub.Stats(), Waiting: g.waiting.taken[""], QueuedBytes: s.queued.bytes, QueuedMost: s.queued.most, Linked: s.hub.Linked(),
		Accepted: l.Accepted, BytesIn: l.BytesIn, BytesOut: l.BytesOut, Panics: l.Panics, Slow: l.Slow,
		SlowClients: g.refused["slow"] + g.refused["memory"],
		Refused:     maps.Clone(g.refused), WouldRefuse: maps.Clone(g.wouldRefuse), Credentials: maps.Clone(g.credentials),
	}
}
