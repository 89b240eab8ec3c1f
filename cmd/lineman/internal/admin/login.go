package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/command"
)

// Key lets somebody in: one of back ends that has the scope admin.
type Key struct {
	Hash   [sha256.Size]byte
	Permit *command.Permit
}

// login is who may come in, and what they may do.
type login struct {
	name   string            // in sessions and in the log: of its own
	permit *command.Permit   // nil means everything
	proof  [sha256.Size]byte // another one when the password or the key is another
	hash   string            // of the password; empty: it is by a key, whose hash proof is
}

// The names that are no key's. A key has "key " before its name.
const (
	nameOpen     = "dev mode"
	namePassword = "password"
	nameReadonly = "read-only"
)

func loginsOf(o Options) (all []*login) {
	if o.Open {
		all = append(all, &login{name: nameOpen})
	}
	for _, p := range []struct {
		name, hash string
		scopes     []command.Scope
	}{
		{namePassword, o.Password, []command.Scope{command.Publish, command.Manage, command.Read, command.Watch}},
		{nameReadonly, o.Readonly, []command.Scope{command.Read, command.Watch}},
	} {
		if p.hash != "" {
			all = append(all, &login{
				name: p.name, hash: p.hash, proof: sha256.Sum256([]byte(p.hash)),
				permit: &command.Permit{Name: "dashboard " + p.name, Scopes: p.scopes},
			})
		}
	}
	for _, k := range o.Keys {
		all = append(all, &login{name: "key " + k.Permit.Name, permit: k.Permit, proof: k.Hash})
	}
	return all
}

// loginPath is where a session begins.
const loginPath = "/dashboard/login"

// hashWait is how long somebody may wait for the passwords of others to be checked.
const hashWait = 2 * time.Second

// logIn gives a session to who knows a password or a key.
func (d *Dashboard) logIn(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Secret string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, `want {"secret":"…"}`, http.StatusBadRequest)
		return
	}
	if !d.options.May(r.RemoteAddr) {
		d.options.Refused("too many passwords were tried", r.RemoteAddr)
		refuseTry(w)
		return
	}
	found, ok := d.check(r.Context(), asked.Secret)
	switch {
	case !ok:
		refuseTry(w)
	case found == nil:
		d.options.Refused("the password is wrong", r.RemoteAddr)
		http.Error(w, "that is neither the password nor a key with the scope admin", http.StatusUnauthorized)
	default:
		d.options.Log.Info("lineman: somebody has logged in to the dashboard", "who", found.name,
			"remote", r.RemoteAddr)
		http.SetCookie(w, d.cookie(r, d.seal.begin(found, time.Now().Add(sessionTime)), sessionTime))
		w.WriteHeader(http.StatusNoContent)
	}
}

func refuseTry(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	http.Error(w, "too many tries: wait for some seconds", http.StatusTooManyRequests)
}

// check finds out whose a secret is: nobody's if nil. All are looked at, so how long it takes tells nothing. Passwords
// are hashed one at a time, so that nobody keeps the processor busy; false means that others were before.
func (d *Dashboard) check(ctx context.Context, secret string) (found *login, ok bool) {
	sum := sha256.Sum256([]byte(secret))
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case d.hashing <- struct{}{}:
		defer func() { <-d.hashing }()
	case <-ctx.Done():
		return nil, false
	}
	for _, l := range d.logins {
		isIt := l.hash == "" && l.name != nameOpen && subtle.ConstantTimeCompare(sum[:], l.proof[:]) == 1
		if l.hash != "" {
			isIt = config.IsPassword(l.hash, secret)
		}
		if isIt {
			found = l
		}
	}
	return found, true
}

// logOut ends a session, and has the browser forget it.
func (d *Dashboard) logOut(w http.ResponseWriter, r *http.Request, s *session) {
	d.seal.end(s, time.Now())
	d.options.Log.Info("lineman: somebody has logged out of the dashboard", "who", s.login.name,
		"remote", r.RemoteAddr)
	http.SetCookie(w, d.cookie(r, "", -1))
	w.WriteHeader(http.StatusNoContent)
}
