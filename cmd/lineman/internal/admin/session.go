package admin

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lineman-go/lineman/push/command"
)

// session is who has logged in, as a cookie tells it: when it ends, some bytes of chance, and the name of the login,
// with a signature over them and the proof of the login. So it ends with the password or the key that it is by, and
// nothing of it is kept, but that somebody has logged out.
type session struct {
	login *login
	text  string // the cookie
}

// sessionTime is how long a session lasts.
const sessionTime = 12 * time.Hour

// may reports whether it has a scope.
func (s *session) may(scope command.Scope) bool {
	return s.login.permit == nil || slices.Contains(s.login.permit.Scopes, scope)
}

// seal signs sessions.
type seal struct {
	mu    sync.Mutex // guards the following
	key   []byte
	ended map[string]time.Time // sessions that were logged out, by their beginnings, and when they would have ended
}

// mostEnded is how many sessions that were logged out are kept. Of more, all sessions end.
const mostEnded = 1000

// make has it sign by a key that nobody has.
func (s *seal) make() {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	s.set(key)
}

func (s *seal) set(key []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key, s.ended = key, make(map[string]time.Time)
}

// end has a session be no good any more.
func (s *seal) end(of *session, now time.Time) {
	told, err := base64.RawURLEncoding.DecodeString(of.text)
	if err != nil || len(told) < beginning {
		return // it is nobody's
	}
	s.mu.Lock()
	full := len(s.ended) >= mostEnded
	for one, until := range s.ended {
		if !now.Before(until) {
			delete(s.ended, one)
			full = false
		}
	}
	if !full {
		s.ended[string(told[:beginning])] = endOf(told)
	}
	s.mu.Unlock()
	if full {
		s.make()
	}
}

func (s *seal) hasEnded(told []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ended := s.ended[string(told[:beginning])]
	return ended
}

// endOf is when a session ends by itself.
func endOf(told []byte) time.Time { return time.Unix(int64(binary.BigEndian.Uint64(told)), 0) }

// Ended are the sessions that were logged out, for the successor of the process.
func (d *Dashboard) Ended() []string {
	d.seal.mu.Lock()
	defer d.seal.mu.Unlock()
	return slices.Sorted(maps.Keys(d.seal.ended))
}

// SetEnded has a session be no good that was logged out at the predecessor. It comes after SetKey.
func (d *Dashboard) SetEnded(one string) {
	d.seal.mu.Lock()
	defer d.seal.mu.Unlock()
	if len(one) == beginning && len(d.seal.ended) < mostEnded {
		d.seal.ended[one] = endOf([]byte(one))
	}
}

func (s *seal) get() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// Key is what sessions are signed by, for the successor of the process.
func (d *Dashboard) Key() []byte { return slices.Clone(d.seal.get()) }

// SetKey has sessions of a predecessor be good.
func (d *Dashboard) SetKey(key []byte) {
	if len(key) == sha256.Size {
		d.seal.set(slices.Clone(key))
	}
}

// sum signs something for a purpose.
func (s *seal) sum(purpose string, of ...[]byte) []byte {
	h := hmac.New(sha256.New, s.get())
	h.Write([]byte(purpose))
	for _, part := range of {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

const (
	endBytes    = 8 // of the instant at which a session ends
	chanceBytes = 16
	beginning   = endBytes + chanceBytes // no other session has it
)

// begin makes the text of a session.
func (s *seal) begin(l *login, ends time.Time) string {
	told := binary.BigEndian.AppendUint64(nil, uint64(ends.Unix()))
	told = append(told, make([]byte, chanceBytes)...)
	_, _ = rand.Read(told[endBytes:]) // it never fails
	told = append(told, l.name...)
	return base64.RawURLEncoding.EncodeToString(append(told, s.sum("session", told, l.proof[:])...))
}

// read is the login of the text of a session that is good now; nil if it is not.
func (s *seal) read(text string, logins []*login, now time.Time) *login {
	told, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(told) < beginning+sha256.Size || s.hasEnded(told) {
		return nil
	}
	told, sum := told[:len(told)-sha256.Size], told[len(told)-sha256.Size:]
	for _, l := range logins {
		if l.name == string(told[beginning:]) && hmac.Equal(sum, s.sum("session", told, l.proof[:])) {
			if now.Before(endOf(told)) {
				return l
			}
		}
	}
	return nil
}

// token is what a change has to show beside the cookie, which a browser sends by itself.
func (s *seal) token(of *session) string {
	return base64.RawURLEncoding.EncodeToString(s.sum("token", []byte(of.text)))
}

// isToken reports whether a token is that of a session.
func (s *seal) isToken(token []byte, of *session) bool { return hmac.Equal(token, []byte(s.token(of))) }

// sessionOf is that of a request; nil if there is none. Where nobody is asked, everybody has one.
func (d *Dashboard) sessionOf(cookies []string) *session {
	if d.options.Open {
		return &session{login: d.logins[0]}
	}
	for _, line := range cookies {
		for _, one := range strings.Split(line, ";") {
			name, text, _ := strings.Cut(strings.TrimSpace(one), "=")
			if name != d.cookieName() {
				continue
			}
			if l := d.seal.read(text, d.logins, time.Now()); l != nil {
				return &session{login: l, text: text}
			}
		}
	}
	return nil
}

// isGood reports whether a session has neither ended nor been logged out since its request has begun.
func (d *Dashboard) isGood(s *session) bool {
	return d.options.Open || d.seal.read(s.text, d.logins, time.Now()) != nil
}

func (d *Dashboard) cookieName() string { return "lineman_dashboard_" + d.options.Port }

// cookie is that of a session, for so long. It is sent to this host alone, for no request of another site, and shown to
// no script; once it was given over TLS, it is never sent without.
func (d *Dashboard) cookie(r *http.Request, text string, lasts time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: d.cookieName(), Value: text, Path: "/", MaxAge: int(lasts / time.Second), HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: isSecure([]byte(r.Header.Get("X-Forwarded-Proto"))),
	}
}

// isSecure reports whether a proxy tells that a request came to it over TLS. Who is none can only do harm to itself.
func isSecure(proto []byte) bool { return bytes.EqualFold(proto, []byte("https")) }
