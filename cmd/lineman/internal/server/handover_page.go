package server

import (
	"errors"
	"maps"
	"slices"

	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
)

// What a page is as bytes, when it crosses to the successor of the process. The numbers of fields are never used again.

const (
	pageEnd = iota + 1
	pageSpent
	pageLogin
	pageLive
	pageCame
)

// appendState appends what there is of a page itself. What is about it elsewhere savePage adds.
func (p *page) appendState(f *saved) {
	f.integer(pageEnd, int64(p.end))
	f.integer(pageCame, int64(p.came))
	f.bucket(pageSpent, p.spent)
	if p.login != nil {
		f.nested(pageLogin, p.login.appendState)
	}
	if p.live != nil {
		f.nested(pageLive, p.live.appendState)
	}
}

// restoreState makes a page of it. Its end is in no expiries yet.
func (p *page) restoreState(state []byte) error {
	return readFields(state, pageCame, func(f *field) {
		switch f.number {
		case pageEnd:
			p.end = uint32(f.integer())
		case pageCame:
			p.came = uint32(f.integer())
		case pageSpent:
			p.spent = f.bucket()
		case pageLogin:
			p.login = &login{}
			f.take(p.login.restoreState(f.bytes()))
		case pageLive:
			p.live = &live{}
			f.take(p.live.restoreState(f.bytes()))
		}
	})
}

const (
	loginCredential = iota + 1
	loginChannel
	loginHello
	loginLast
	loginID
	loginHeartbeat
	loginSaid // something was said of what it subscribes to, be it nothing
	loginSub
	loginQuestion
	loginVerifying
)

func (e *login) appendState(f *saved) {
	f.text(loginCredential, e.credential)
	f.texts(loginChannel, e.channels)
	f.flag(loginHello, e.hello)
	f.integer(loginLast, int64(e.last))
	f.integer(loginID, e.id)
	f.flag(loginHeartbeat, e.heartbeat)
	f.flag(loginSaid, e.subs != nil)
	for _, s := range e.subs {
		f.nested(loginSub, (&beginning{Start: s}).appendState)
	}
	if e.question != nil {
		f.nested(loginQuestion, func(f *saved) { appendQuestion(f, e.question) })
	}
	f.flag(loginVerifying, e.verifying)
}

// restoreState makes a login of it. It has no timer yet.
func (e *login) restoreState(state []byte) error {
	return readFields(state, loginVerifying, func(f *field) {
		switch f.number {
		case loginCredential:
			e.credential = f.text()
		case loginChannel:
			e.channels = append(e.channels, f.text())
		case loginHello:
			e.hello = f.flag()
		case loginLast:
			e.last = int(f.integer())
		case loginID:
			e.id = f.integer()
		case loginHeartbeat:
			e.heartbeat = f.flag()
		case loginSaid:
			if f.flag() && e.subs == nil {
				e.subs = []level1.Start{}
			}
		case loginSub:
			var b beginning
			f.take(b.restoreState(f.bytes()))
			e.subs = append(e.subs, b.Start)
		case loginQuestion:
			e.question = &hook.Connect{}
			f.take(parseQuestion(f.bytes(), e.question))
		case loginVerifying:
			e.verifying = f.flag()
		}
	})
}

const (
	liveChannel = iota + 1
	liveBatch
	liveGreeted
	liveMalformed
	liveStream // it gets server-sent events, be it that it has no place yet
	livePlaces
	liveBeginning
)

func (l *live) appendState(f *saved) {
	f.texts(liveChannel, l.channels)
	f.flag(liveBatch, l.batch)
	f.flag(liveGreeted, l.greeted)
	f.integer(liveMalformed, int64(l.malformed))
	if l.stream != nil {
		f.flag(liveStream, true)
		f.bytes(livePlaces, level1.AppendEventID(nil, l.stream.places))
	}
	for _, b := range l.beginnings() {
		f.nested(liveBeginning, b.appendState)
	}
}

// restoreState makes of it what a page of level 1 has.
func (l *live) restoreState(state []byte) error {
	return readFields(state, liveBeginning, func(f *field) {
		switch f.number {
		case liveChannel:
			l.channels = append(l.channels, f.text())
		case liveBatch:
			l.batch = f.flag()
		case liveGreeted:
			l.greeted = f.flag()
		case liveMalformed:
			l.malformed = uint8(f.integer())
		case liveStream:
			if f.flag() && l.stream == nil {
				l.stream = &stream{}
			}
		case livePlaces:
			places, err := level1.ParseEventID(f.text())
			f.take(err)
			l.stream = &stream{places: places}
		case liveBeginning:
			var b beginning
			f.take(b.restoreState(f.bytes()))
			l.begin(b)
		}
	})
}

// beginning is a target that a page has asked for and was not told of.
type beginning struct {
	level1.Start
	id    int64 // of its request
	waits bool  // the Hub does not know of it yet
}

// beginnings are those of a page. What a hook is asked about waits in the successor, before what waits here, as it is
// asked again there.
func (l *live) beginnings() (all []beginning) {
	for _, of := range slices.Sorted(maps.Keys(l.starting)) {
		if begun := l.starting[of]; !l.waitsFor(of) {
			all = append(all, beginning{level1.Start{Target: of, Since: begun.since}, begun.id, begun.question != nil})
		}
	}
	for _, s := range l.waiting {
		all = append(all, beginning{s, l.starting[s.Target].id, true})
	}
	return all
}

func (l *live) waitsFor(of push.Target) bool {
	return slices.ContainsFunc(l.waiting, func(s level1.Start) bool { return s.Target == of })
}

// begin is the other way round.
func (l *live) begin(b beginning) {
	if l.starting == nil {
		l.starting = make(map[push.Target]start)
	}
	l.starting[b.Target] = start{since: b.Since, id: b.id}
	if b.waits {
		l.waiting = append(l.waiting, b.Start)
	}
}

const (
	beginningTarget = iota + 1
	beginningSince
	beginningID
	beginningWaits
)

func (b *beginning) appendState(f *saved) {
	f.text(beginningTarget, string(b.Target))
	f.text(beginningSince, b.Since.String())
	f.integer(beginningID, b.id)
	f.flag(beginningWaits, b.waits)
}

func (b *beginning) restoreState(state []byte) error {
	return readFields(state, beginningWaits, func(f *field) {
		switch f.number {
		case beginningTarget:
			b.Target = push.Target(f.text())
		case beginningSince:
			since, err := push.ParseSince(f.text())
			f.take(err)
			b.Since = since
		case beginningID:
			b.id = f.integer()
		case beginningWaits:
			b.waits = f.flag()
		}
	})
}

const (
	questionHost = iota + 1
	questionPath
	questionQuery
	questionOrigin
	questionHeader // a name, and its value
)

// appendQuestion appends what a hook is told of a page's request. The rest is known when it is asked.
func appendQuestion(f *saved, q *hook.Connect) {
	f.text(questionHost, q.Host)
	f.text(questionPath, q.Path)
	f.text(questionQuery, q.Query)
	f.text(questionOrigin, q.Origin)
	for _, h := range q.Headers {
		f.texts(questionHeader, []string{h.Name, h.Value})
	}
}

func parseQuestion(state []byte, q *hook.Connect) error {
	var headers []string // names and values
	err := readFields(state, questionHeader, func(f *field) {
		switch f.number {
		case questionHost:
			q.Host = f.text()
		case questionPath:
			q.Path = f.text()
		case questionQuery:
			q.Query = f.text()
		case questionOrigin:
			q.Origin = f.text()
		case questionHeader:
			headers = append(headers, f.text())
		}
	})
	if err != nil || len(headers)%2 != 0 {
		return fields.ErrMalformed
	}
	for pair := range slices.Chunk(headers, 2) {
		q.Headers = append(q.Headers, hook.Field{Name: pair[0], Value: pair[1]})
	}
	return nil
}

// errRefused is why a page stays with the predecessor, in the words that the operator is told.
var errRefused = errors.New("it is being refused")

// mayCross tells why a page has to stay.
func (p *page) mayCross() error {
	if p.login != nil && (p.login.refusal != "" || p.login.left) {
		return errRefused
	}
	return nil
}
