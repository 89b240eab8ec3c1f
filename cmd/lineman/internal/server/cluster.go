package server

import (
	"context"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
)

// refreshTime is how long it may take to learn what was revoked, and after which it is tried again.
const refreshTime = 2 * time.Second

// patienceAtStart is how long back ends wait in the queue of a server that has just started and does not reach the
// others yet.
const patienceAtStart = 2 * time.Second

// linked is told whether other processes are reached.
func (s *Server) linked(up bool) {
	s.links++
	if !up || s.home != nil {
		return
	}
	s.open()
	if !s.crossing.settling { // else it was up at the predecessor: nothing was missed
		s.beginGap()
		s.refresh(s.links)
	}
}

// settleCluster goes on with what the predecessor had begun. What was revoked is read if that has not known it.
func (s *Server) settleCluster() {
	if s.unread && s.hub.Linked() {
		s.refresh(s.links)
	}
	if s.gap != nil {
		s.closeDue(s.gap)
	}
}

// overdue ends the patience of a server that has just started.
func (s *Server) overdue() {
	s.open()
	s.late = true
	if !s.informed {
		s.log.Warn("lineman: no page is let in until what was revoked is read from Redis: see token.fail_open")
	}
	s.resume()
}

// hold has a login wait until what was revoked is known, and not for long.
func (s *Server) hold(c *lineman.Conn, p *page, credential string) {
	if p.login.late != nil {
		p.login.late.Stop()
	}
	s.held = append(s.held, func() {
		switch {
		case p.login == nil: // it has closed
		case s.informed:
			s.login(c, p, credential)
		default:
			s.closeWith(c, int(codeUnchecked), "the credential could not be checked yet")
		}
	})
	if s.late {
		s.resume()
	}
}

// resume goes on with logins that waited.
func (s *Server) resume() {
	held := s.held
	s.held = nil
	for _, f := range held {
		f()
	}
}

// open lets back ends in.
func (s *Server) open() {
	for _, l := range s.shut {
		l.Resume()
	}
	s.shut = nil
}

// refresh closes the pages whose credentials other processes have revoked while this one could not be told. It tries
// until it has succeeded, or until the link that it was called for has broken.
func (s *Server) refresh(link int) {
	s.unread = true
	go func() {
		ctx, cancel := context.WithTimeout(s.loop.Context(), refreshTime)
		defer cancel()
		uids, restored, err := s.who.Refresh(ctx)
		s.loop.Do(func() {
			s.revocations += len(uids)
			for _, uid := range uids {
				if s.decides.connect != nil {
					s.decides.connect.Forget(uid)
				}
				s.hub.KickUID(uid, push.CodeUnauthorized, "the credential was revoked")
			}
			switch {
			case err == nil && restored:
				s.log.Warn("lineman: Redis had lost revocations, which this process knew: they are there again")
				_ = s.hub.Ask(push.Question{Verb: push.Restored}, func(push.Answer, error) {}) // the question is right
			case err != nil && link == s.links:
				s.log.Warn("lineman: what other processes have revoked cannot be read: trying again", "error", err)
				s.loop.After(refreshTime, func() { s.refresh(s.links) })
			}
			if err != nil {
				return
			}
			s.unread = s.unread && link != s.links // a later link reads again
			if !s.informed {
				s.informed = true
				s.resume()
			}
		})
	}()
}

// restored is told that a process has put back what was lost.
func (s *Server) restored() { s.refresh(s.links) }

// revoked is told what another process has revoked, or this one.
func (s *Server) revoked(uid string, at time.Time) {
	s.revocations++
	s.who.Learn(uid, at)
	if s.decides.connect != nil {
		s.decides.connect.Forget(uid)
	}
}

const (
	revokedUID = iota + 1
	revokedAt  // seconds of Unix time
)

// appendRevoked appends what was revoked, as far as the successor does not read it from a file, and whether that is
// all.
func (s *Server) appendRevoked(f *saved) {
	for uid, seconds := range s.who.Revoked() {
		f.nested(stateRevoked, func(f *saved) {
			f.text(revokedUID, uid)
			f.integer(revokedAt, seconds)
		})
	}
	f.flag(stateInformed, s.options.Broker != nil && s.options.Credentials != nil && !s.unread)
}

func (s *Server) restoreRevoked(state []byte) error {
	var uid string
	var seconds int64
	err := readFields(state, revokedAt, func(f *field) {
		switch f.number {
		case revokedUID:
			uid = f.text()
		case revokedAt:
			seconds = f.integer()
		}
	})
	if err == nil {
		s.who.Learn(uid, time.Unix(seconds, 0))
	}
	return err
}

// revoke is the command's; nil if there is none.
func (s *Server) revoke() func(uid string, at time.Time, done func(error)) {
	if s.options.Credentials == nil && s.decides.connect == nil {
		return nil
	}
	return func(uid string, at time.Time, done func(error)) {
		go func() {
			err := s.who.Revoke(s.loop.Context(), uid, at)
			s.loop.Do(func() { done(err) })
		}()
	}
}
