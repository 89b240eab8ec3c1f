// Sessions: a router, middleware and a session library as any Go program uses them, behind a worker's port.
//
//	go -C examples/sessions run .
package main

import (
	"flag"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/lineman-go/lineman"
)

func main() {
	addr := flag.String("addr", "http://127.0.0.1:8080", "`address` to listen on")
	flag.Parse()

	w := &lineman.Worker{Name: "sessions", Addr: *addr, Handler: router()}
	w.OnStart = func(l *lineman.Loop) error {
		fmt.Printf("sessions: open http://%s/\n", l.Listener(w).Addr())
		return nil
	}
	lineman.Main(w)
}

func router() http.Handler {
	sessions := scs.New()
	sessions.Lifetime = time.Hour
	sessions.Cookie.SameSite = http.SameSiteLaxMode
	s := site{sessions}

	r := chi.NewRouter()
	r.Use(middleware.Recoverer, sessions.LoadAndSave)
	r.Get("/", s.home)
	r.Post("/in", s.signIn)
	r.Post("/out", s.signOut)
	return r
}

type site struct{ sessions *scs.SessionManager }

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sessions</title>
<body style="font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 30rem; padding: 0 1rem">
{{if .Name}}<p>Hello {{.Name}}, this is visit {{.Visits}}.</p>
<form method="post" action="/out"><button>Sign out</button></form>
{{else}}<form method="post" action="/in">
<input name="name" placeholder="Your name" required> <button>Sign in</button></form>{{end}}
`))

func (s site) home(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	visits := s.sessions.GetInt(ctx, "visits") + 1
	name := s.sessions.GetString(ctx, "name")
	if name != "" {
		s.sessions.Put(ctx, "visits", visits)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, struct {
		Name   string
		Visits int
	}{name, visits}) // the client may have gone
}

func (s site) signIn(w http.ResponseWriter, r *http.Request) {
	name := r.PostFormValue("name")
	if name == "" {
		http.Error(w, "say your name", http.StatusBadRequest)
		return
	}
	if err := s.sessions.RenewToken(r.Context()); err != nil { // who had the old one has nothing now
		http.Error(w, "no session", http.StatusInternalServerError)
		return
	}
	s.sessions.Put(r.Context(), "name", name)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s site) signOut(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.Destroy(r.Context()); err != nil {
		http.Error(w, "no session", http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
