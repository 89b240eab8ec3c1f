// Package admin is the dashboard: a page for who runs the server, at the port for operators. It shows what the server
// does, looks somebody up, follows a target, and gives commands of the same table as back ends do. It decides who may.
//
//	GET  /                      the page, for everybody; so are its script and its looks
//	POST /dashboard/login       a password or a key ──▶ a session, in a cookie
//	GET  /dashboard/session     who it is, and the token that changes have to show
//	GET  /dashboard/live        the figures, each second: server-sent events
//	GET  /dashboard/find        the connections of a target
//	GET  /dashboard/follow      what is published for a target, and to whom it goes: server-sent events
//	POST /dashboard/do/COMMAND  a command of push/command
//	POST /dashboard/logout
package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/asset"
	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

// Options are what the dashboard needs of the server.
type Options struct {
	Loop *lineman.Loop
	Log  *slog.Logger // gets a line for each login, and for each command that changes something

	// Do runs a command of the server's command.Table. It is called on the loop, as done is.
	Do func(body []byte, name string, by command.Caller, done func(command.Reply))

	Open bool // nobody is asked who it is: for a port that only this machine reaches, in dev mode

	Password string // its hash lets people in who may do everything; empty: nobody
	Readonly string // likewise, to look only
	Keys     []Key  // let in who may do what their scopes say
	Port     string // of the port for operators, as browsers share cookies among the ports of a host

	// Past is what is kept of the last hour by each node, by its ID, and of all together, by "". Now is all about now.
	Past func(ctx context.Context) (map[string]figures.Series, error)
	Now  func() (figures.Report, error)

	// May reports whether an address may try another password.
	May func(remote string) bool

	// Refused is told of who was turned away.
	Refused func(what, remote string)

	// Find tells of connections of a target, of so many at the most. whole reports whether all nodes have answered.
	Find func(ctx context.Context, of push.Target, most int) (conns []Conn, whole bool, err error)
}

// Dashboard answers the requests of the page. Its methods are for any goroutine.
type Dashboard struct {
	options Options
	logins  []*login
	seal    seal
	pages   *http.ServeMux
	hashing chan struct{} // has room for who may have a password checked

	ctx   context.Context // of what is streamed
	close context.CancelFunc

	mu      sync.Mutex // guards streams
	streams int        // that are under way
}

// New makes a Dashboard.
func New(o Options) *Dashboard {
	d := &Dashboard{options: o, logins: loginsOf(o), hashing: make(chan struct{}, 1)}
	d.ctx, d.close = context.WithCancel(context.Background())
	d.seal.make()
	d.pages = http.NewServeMux()
	d.pages.HandleFunc("GET /{$}", answerAsset)
	d.pages.HandleFunc("GET /dashboard/{file}", answerAsset)
	d.pages.HandleFunc("POST "+loginPath, d.logIn)
	for path, answer := range map[string]func(http.ResponseWriter, *http.Request, *session){
		"GET /dashboard/session": d.answerSession, "GET /dashboard/live": d.live, "GET /dashboard/find": d.find,
		"GET /dashboard/follow": d.follow, "POST /dashboard/do/{command}": d.do, "POST /dashboard/logout": d.logOut,
	} {
		d.pages.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if s := d.sessionOf(r.Header["Cookie"]); s != nil {
				answer(w, r, s)
			} else { // it has just ended
				http.Error(w, "log in again", http.StatusUnauthorized)
			}
		})
	}
	return d
}

// Close ends what is streamed. Other requests are still answered.
func (d *Dashboard) Close() { d.close() }

// ServeHTTP answers a request whose head was found right.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", asset.Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if d.sessionOf(r.Header["Cookie"]) == nil {
		h.Set("Connection", "close") // nobody stays who has not logged in
	}
	d.pages.ServeHTTP(w, r)
}

// answerSession tells the page who it is, and what it may do.
func (d *Dashboard) answerSession(w http.ResponseWriter, _ *http.Request, s *session) {
	scopes := []command.Scope{command.Publish, command.Manage, command.Read, command.Watch}
	if p := s.login.permit; p != nil {
		scopes = p.Scopes
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"name": s.login.name, "scopes": scopes, "token": d.seal.token(s), "open": d.options.Open,
		"version": lineman.Version(),
	})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // who asked may have gone
}
