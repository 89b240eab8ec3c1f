package pusher

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/lineman-go/lineman/internal/fields"
)

// Page is what a Service knows of a connection, beside its Member of the Hub: there is one for each, so it is small.
// Owned by the loop.
type Page struct {
	app  *App
	more *morePage // nil: there is nothing of it

	second    uint32 // Unix time of its last event
	sent      uint16 // events of its own in that second
	malformed uint8  // messages that were not understood
}

// morePage is what few pages have.
type morePage struct {
	user    user
	joining map[string]*joining // presence channels that it is not told of yet, by their names
}

// user is who a page has shown to be.
type user struct {
	id   string
	info json.RawMessage // what presence channels are told of it
}

// joining is that a page comes to a presence channel, and as whom.
type joining struct {
	user
	begun bool   // the Hub has begun with it
	last  []byte // the last event of a cache channel, which follows the list; nil: there is none
}

// NewPage is the page of a connection to an App.
func NewPage(a *App) *Page { return &Page{app: a} }

// App is that of the page.
func (p *Page) App() *App { return p.app }

// User is the id of the user who has signed in; empty if none has.
func (p *Page) User() string { return p.user().id }

func (p *Page) user() user {
	if p.more == nil {
		return user{}
	}
	return p.more.user
}

func (p *Page) rest() *morePage {
	if p.more == nil {
		p.more = &morePage{}
	}
	return p.more
}

// join notes that the page comes to a presence channel.
func (p *Page) join(name string, j *joining) {
	m := p.rest()
	if m.joining == nil {
		m.joining = make(map[string]*joining)
	}
	m.joining[name] = j
}

// joins is that the page comes to a presence channel; nil if it does not.
func (p *Page) joins(name string) *joining {
	if p.more == nil {
		return nil
	}
	return p.more.joining[name]
}

// joined forgets that it does.
func (p *Page) joined(name string) {
	if p.more == nil {
		return
	}
	if delete(p.more.joining, name); len(p.more.joining) == 0 {
		p.more.joining = nil
	}
}

// spend counts an event of the page's own, and reports whether it may have one more in this second.
func (p *Page) spend(now time.Time) bool {
	if second := uint32(now.Unix()); p.second != second {
		p.second, p.sent = second, 0
	}
	if int(p.sent) >= p.app.clientRate() {
		return false
	}
	p.sent++
	return true
}

// The state of a page, for the process that it goes to.
const pageVersion = 1

// Numbers of its fields, which are never given to anything else.
const (
	fieldApp     = 1
	fieldUser    = 2
	fieldInfo    = 3
	fieldJoining = 4 // one of fields: a name as fieldChannel, fieldUser, fieldInfo
	fieldChannel = 5
)

// Append appends the page, for the process that its connection goes to: see RestorePage.
func (p *Page) Append(dst []byte) []byte {
	dst = fields.Bytes(fields.Begin(dst, pageVersion), fieldApp, p.app.ID)
	if p.more == nil {
		return dst
	}
	dst = p.more.user.append(dst)
	for name, j := range p.more.joining {
		dst = fields.Nested(dst, fieldJoining, func(dst []byte) []byte {
			return j.append(fields.Bytes(dst, fieldChannel, name))
		})
	}
	return dst
}

func (u *user) append(dst []byte) []byte {
	return fields.Bytes(fields.Bytes(dst, fieldUser, u.id), fieldInfo, u.info)
}

// ErrNoApp is the error of RestorePage for a page whose App is no longer one.
var ErrNoApp = errors.New("pusher: the app of the page is no longer there")

// RestorePage reads what Append has written. When the Hub knows the connection again, Service.Restored goes on with
// what waits.
func RestorePage(all *Apps, state []byte) (*Page, error) {
	state, err := fields.Open(state, pageVersion)
	if err != nil {
		return nil, err
	}
	p, u := &Page{}, user{}
	err = fields.Each(state, fieldChannel, func(number uint64, value []byte) error {
		switch number {
		case fieldApp:
			p.app = all.ByID(string(value))
		case fieldJoining:
			return p.restoreJoining(value)
		}
		u.restore(number, value)
		return nil
	})
	if u.id != "" {
		p.rest().user = u
	}
	if err == nil && p.app == nil {
		err = ErrNoApp
	}
	return p, err
}

func (u *user) restore(number uint64, value []byte) {
	switch number {
	case fieldUser:
		u.id = string(value)
	case fieldInfo:
		u.info = append(json.RawMessage(nil), value...)
	}
}

func (p *Page) restoreJoining(state []byte) error {
	name, j := "", &joining{}
	err := fields.Each(state, fieldChannel, func(number uint64, value []byte) error {
		if number == fieldChannel {
			name = string(value)
		}
		j.restore(number, value)
		return nil
	})
	p.join(name, j)
	return err
}
