package server

import (
	"context"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/admin"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push/command"
)

// adminWorker is the port for operators: the dashboard, metrics and profiles. It works on goroutines, so a profile
// holds nobody up. Each process has a port of its own: id counts the processes.
func (s *Server) adminWorker(id int) *lineman.Worker {
	pages := http.NewServeMux()
	pages.Handle("GET /metrics", s.metrics.Handler())
	pages.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	pages.HandleFunc("GET /ready", s.answerReady)
	pages.HandleFunc("GET /debug/pprof/", pprof.Index)
	pages.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	pages.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	pages.HandleFunc("GET "+symbols, pprof.Symbol)
	pages.HandleFunc("POST "+symbols, pprof.Symbol) // go tool pprof asks so
	pages.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	pages.Handle("GET /{$}", s.dashboard)
	pages.Handle("/dashboard/", s.dashboard)
	w := &lineman.Worker{
		Name: "admin", Addr: "http://" + portOf(s.config.Admin.Listen, id), Logger: s.options.Log,
		Limits:  lineman.Limits{KeepAlive: askingTime, Message: askingTime},
		Proxies: s.config.Proxies,
	}
	w.OnAccept = func(c *lineman.Conn) error {
		p, ok := s.guard.acquire(&s.guard.operators, c)
		if !ok {
			return errNoSlot
		}
		c.SetValue(&admission{conn: c, slot: p})
		return nil
	}
	w.OnConnect = func(c *lineman.Conn) {
		if !s.isOpenAdmin() {
			s.awaitKey(&s.guard.keylessOperators, c.Value().(*admission))
		}
	}
	w.OnGone = func(c *lineman.Conn) {
		one := c.Value().(*admission)
		s.guard.keylessOperators.remove(one)
		s.guard.release(&s.guard.operators, one.slot)
	}
	w.OnHead = s.operatorHead
	w.OnRequest = func(c *lineman.Conn, _ *http1.Request) { _ = c.Serve(pages) }
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

// isOpenAdmin reports whether the port for operators wants no key.
func (s *Server) isOpenAdmin() bool { return config.Loopback(s.config.Admin.Listen) }

// operatorHead refuses pages, foreign host names and, where others reach the port, requests without a key of scope
// admin, before a body is read. The connection ends then, so nobody without a key stays.
func (s *Server) operatorHead(c *lineman.Conn, r *http1.Request) error {
	if admin.Has(string(r.Path())) {
		return s.dashboardHead(c, r)
	}
	if isPage(r) || !s.knowsHost(string(r.Host())) {
		return s.foreignOperator(c)
	}
	scheme, key, _ := strings.Cut(string(r.Header("Authorization")), " ")
	p := s.keys.find([]byte(key))
	if !s.isOpenAdmin() &&
		(p == nil || !strings.EqualFold(scheme, "Bearer") || !slices.Contains(p.Scopes, command.Admin)) {
		s.guard.refuse("key", "an operator was turned away: no key with the scope admin", "remote", c.RemoteAddr())
		return &lineman.RefuseError{
			Status: 401, Reason: "want Authorization: Bearer KEY, with a key of api.keys that has the scope admin",
			Header: fieldsFor(401),
		}
	}
	s.guard.keylessOperators.remove(c.Value().(*admission))
	if isEncoded(r.Values("Content-Encoding")) {
		return encodedBody
	}
	if string(r.Path()) == symbols {
		return nil
	}
	return refuseBody(r)
}

// foreignOperator refuses a page of another site, or one whose host name was made to lead here.
func (s *Server) foreignOperator(c *lineman.Conn) error {
	s.guard.refuse("page", "a page, or a host that is not in api.hosts, asked the port for operators", "remote",
		c.RemoteAddr())
	return &lineman.RefuseError{
		Status: 403, Reason: "pages, and host names that are not in api.hosts, cannot use this port",
	}
}

// symbols is the one page for operators that may be asked with a body.
const symbols = "/debug/pprof/symbol"

func (s *Server) answerReady(w http.ResponseWriter, _ *http.Request) {
	if ready, err := ask(s.loop, s.isReady); err != nil || !ready {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// askingTime is how long a connection may be there without a request, or with half of one.
const askingTime = 10 * time.Second

// patience is how long the loop may take to answer an operator: less than a scrape of Prometheus waits, which is 10 s.
const patience = 5 * time.Second

// ask asks the loop for an operator.
func ask[T any](l *lineman.Loop, f func() T) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return lineman.Ask(ctx, l, f)
}
