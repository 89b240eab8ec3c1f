package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/internal/fields"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/hook"
	"github.com/lineman-go/lineman/push/level1"
)

var someTime = time.Unix(1795400000, 0)

// crossed is a page after it has crossed.
func crossed(t *testing.T, p *page) *page {
	t.Helper()
	var f saved
	p.appendState(&f)
	var again page
	if err := again.restoreState(f); err != nil {
		t.Fatal(err)
	}
	return &again
}

func since(epoch string, offset uint64) push.Since {
	return push.Since{Position: push.Position{Epoch: epoch, Offset: offset}}
}

// TestPageCrosses has pages of all kinds be what they were.
func TestPageCrosses(t *testing.T) {
	for name, p := range map[string]*page{
		"a member of level 0": {},
		"one that expires":    {end: 1795400000, spent: tokenBucket{level: 2.5, at: 1795399999}},
		"before its handshake": {
			login: &login{},
		},
		"one that logs in": {login: &login{
			credential: "token", channels: []string{"a", "b"}, hello: true, last: 20, verifying: true,
			question: &hook.Connect{
				Host: "example.org", Path: "/", Query: "a=b", Origin: "https://example.org",
				Headers: []hook.Field{{Name: "cookie", Value: "a=b"}, {Name: "user-agent", Value: ""}},
			},
		}},
		"one of level 1 that logs in": {
			login: &login{id: -1, heartbeat: true, subs: []level1.Start{{Target: "c", Since: since("k3f9", 12)}}},
			live:  &live{greeted: true, batch: true},
		},
		"one that says it subscribes to nothing": {login: &login{subs: []level1.Start{}}, live: &live{}},
		"a member of level 1": {live: &live{
			channels: []string{"chat:*", ""}, greeted: true, malformed: 3,
		}},
		"one that is about to begin": {live: &live{
			starting: map[push.Target]start{"a": {since: push.Since{Last: 3}, id: 7}, "b": {}},
			waiting:  []level1.Start{{Target: "a", Since: push.Since{Last: 3}}, {Target: "b"}},
		}},
		"a stream": {live: &live{greeted: true, stream: &stream{places: []level1.Place{
			{Target: "a", Position: push.Position{Epoch: "k3f9", Offset: 1}},
		}}}},
		"a stream without a place": {live: &live{stream: &stream{}}},
	} {
		if again := crossed(t, p); !reflect.DeepEqual(again, p) {
			t.Errorf("%s is %+v, want %+v", name, again, p)
		}
	}
}

// TestBeginsCross has what a hook is asked about be asked again, before what waits.
func TestBeginsCross(t *testing.T) {
	p := &page{live: &live{
		starting: map[push.Target]start{"c": {id: 3}, "b": {id: 2, question: &hook.Subscribe{}}},
		waiting:  []level1.Start{{Target: "c"}},
	}}
	if err := p.mayCross(); err != nil {
		t.Fatal(err)
	}
	again := crossed(t, p).live
	if want := []level1.Start{{Target: "b"}, {Target: "c"}}; !reflect.DeepEqual(again.waiting, want) {
		t.Errorf("%v waits, want %v", again.waiting, want)
	}
	if again.starting["b"].id != 2 || again.starting["c"].id != 3 {
		t.Errorf("%v begins", again.starting)
	}
}

// TestStays tells which pages and back ends stay, and why.
func TestStays(t *testing.T) {
	reading := &live{starting: map[push.Target]start{"a": {}}}
	for _, tt := range []struct {
		of   interface{ mayCross() error }
		want error
	}{
		{&page{login: &login{refusal: "connections"}}, errRefused},
		{&page{login: &login{left: true}}, errRefused},
		{&page{live: reading}, nil},
		{&page{login: &login{}, live: reading}, nil},
		{&backend{admission: admission{slot: slot{why: "connections"}}}, errTurnedAway},
		{&backend{leaving: true}, errTurnedAway},
		{&backend{answers: answers{texts: [][]byte{nil, []byte("ok")}}}, errOwed},
		{&backend{answers: answers{texts: [][]byte{nil, []byte("ok")}, sent: 1}}, nil},
	} {
		if err := tt.of.mayCross(); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.of, err, tt.want)
		}
	}
}

// TestSpeakerCrosses has back ends hear the same of a page.
func TestSpeakerCrosses(t *testing.T) {
	sp := &ended{id: 1 << 60, speaker: speaker{
		conn: "c:k3f9.1", uid: "uid1", since: someTime, code: 4101, why: "restart",
		session: json.RawMessage(`{"a":1}`), places: []push.Target{"g:a", "b"},
	}}
	var f saved
	sp.appendState(&f)
	again := &ended{}
	if err := again.restoreState(f); err != nil || !reflect.DeepEqual(again, sp) {
		t.Errorf("it is %+v, want %+v: %v", again, sp, err)
	}
}

// TestBackendCrosses has a back end go on with what its key permits here.
func TestBackendCrosses(t *testing.T) {
	before := newKeyring([]config.Key{{Name: "shop", Key: "secret"}, {Name: "gone", Key: "leaked"}})
	now := newKeyring([]config.Key{{Name: "store", Key: "secret"}})
	b := &backend{in: true, permit: before[0].permit, listened: 3, began: true, full: true, paused: true}
	for range 4 {
		b.answers.settle(b.answers.expect(), []byte("ok"), func([]byte) bool { return true })
	}
	b.answers.settle(b.answers.expect(), []byte("more"), func([]byte) bool { return false })
	b.answers.settle(b.answers.expect(), nil, func([]byte) bool { return false })
	var f saved
	b.appendState(&f, before)
	again := &crossedBackend{backend: &backend{}}
	if err := again.restoreState(f, now); err != nil {
		t.Fatal(err)
	}
	if again.permit != now[0].permit || again.answers.first != 4 || again.answers.len() != 2 ||
		string(again.answers.texts[0]) != "more" || again.answers.texts[1] == nil {
		t.Errorf("it is %+v", again)
	}
	if !again.in || again.listened != 3 || !again.began || !again.full || !again.paused {
		t.Errorf("it is %+v", again)
	}
	b.permit, f = before[1].permit, nil
	b.appendState(&f, before)
	if err := (&crossedBackend{backend: &backend{}}).restoreState(f, now); !errors.Is(err, errKeyGone) {
		t.Errorf("with a key that is gone: %v", err)
	}
}

// TestGuardCrosses has what was taken of rates be taken.
func TestGuardCrosses(t *testing.T) {
	c := config.Default()
	c.Limits.CommandsPerKey = 1
	before, now := newGuard(c, config.Shares{}, nil), newGuard(c, config.Shares{}, nil)
	for range burstTime {
		if !before.commands.allow("shop", someTime) {
			t.Fatal("it is refused before")
		}
	}
	before.logins.allow("uid1", someTime)
	var f saved
	before.appendState(&f, someTime)
	if err := now.restoreState(f); err != nil {
		t.Fatal(err)
	}
	if now.commands.allow("shop", someTime) || !now.commands.allow("other", someTime) {
		t.Error("the rate of a key has begun anew")
	}
	if !reflect.DeepEqual(now.logins.by, before.logins.by) {
		t.Errorf("%v have logged in, want %v", now.logins.by, before.logins.by)
	}
}

// TestTrust tells after which changes of settings pages do not cross.
func TestTrust(t *testing.T) {
	with := func(change func(*config.Config)) *Server {
		c := config.Default()
		c.Token.Secrets = []string{"one"}
		change(&c)
		return &Server{config: c}
	}
	before := with(func(*config.Config) {}).trust()
	for name, tt := range map[string]struct {
		change func(*config.Config)
		want   bool
	}{
		"nothing":           {func(*config.Config) {}, true},
		"another limit":     {func(c *config.Config) { c.Limits.Places = 3 }, true},
		"one more secret":   {func(c *config.Config) { c.Token.Secrets = []string{"two", "one"} }, true},
		"another secret":    {func(c *config.Config) { c.Token.Secrets = []string{"two"} }, false},
		"another issuer":    {func(c *config.Config) { c.Token.Issuer = "me" }, false},
		"no more dev":       {func(c *config.Config) { c.Dev = true }, false},
		"another origin":    {func(c *config.Config) { c.Origins = []string{"https://example.org"} }, false},
		"a hook that tells": {func(c *config.Config) { c.Hooks = map[string]config.Hook{"a": {URL: "u"}} }, true},
		"a hook that decides": {
			func(c *config.Config) { c.Hooks = map[string]config.Hook{"a": {Decides: []string{"connect"}}} }, false,
		},
		"who may subscribe": {
			func(c *config.Config) {
				c.Namespaces = map[string]config.Namespace{"default": {Subscribe: "none"}}
			}, false,
		},
		"who may publish": {
			func(c *config.Config) {
				n := c.Namespaces["default"]
				n.Publish = "all"
				c.Namespaces = map[string]config.Namespace{"default": n}
			}, true,
		},
	} {
		if got := with(tt.change).trusts(before); got != tt.want {
			t.Errorf("%s: it trusts %v, want %v", name, got, tt.want)
		}
	}
	if with(func(*config.Config) {}).trusts([]byte{0xff}) {
		t.Error("it trusts what it cannot read")
	}
}

// TestGapCrosses has pages that may have missed something be closed when they would have been.
func TestGapCrosses(t *testing.T) {
	g := &gap{began: time.Now().Add(-time.Minute), pages: []uint64{1, 1 << 60, 3}, told: 1}
	var f saved
	g.appendState(&f)
	again := &gap{}
	if err := again.restoreState(f); err != nil {
		t.Fatal(err)
	}
	if late := again.began.Sub(g.began); late < 0 || late > 10*time.Second {
		t.Errorf("it began at %v, and now at %v", g.began, again.began)
	}
	if again.began = g.began; !reflect.DeepEqual(again, g) {
		t.Errorf("it is %+v, want %+v", again, g)
	}
	for _, told := range []int64{-1, 2} {
		var f saved
		f.integer(gapTold, told)
		f.integer(gapPage, 7)
		if err := (&gap{}).restoreState(f); err == nil {
			t.Errorf("%d of one page are told", told)
		}
	}
}

// revoking are credentials of which some were revoked.
type revoking struct {
	anybody
	revoked map[string]int64
}

func (r *revoking) Revoked() map[string]int64 { return r.revoked }

func (r *revoking) Learn(uid string, at time.Time) { r.revoked[uid] = at.Unix() }

// TestRevokedCross has a successor know what was revoked, and believe credentials at once if its predecessor has read
// all that was.
func TestRevokedCross(t *testing.T) {
	options := Options{
		Broker: push.NewMemory(), Credentials: func() (Credentials, error) { return &revoking{}, nil },
	}
	for _, unread := range []bool{false, true} {
		revoked := map[string]int64{"ann": 7, "bob": 8}
		before := &Server{options: options, unread: unread, who: &revoking{revoked: revoked}}
		now := &Server{options: options, unread: true, who: &revoking{revoked: map[string]int64{}}}
		var f saved
		before.appendRevoked(&f)
		if err := readFields(f, stateReplays, now.restoreShared); err != nil {
			t.Fatal(err)
		}
		if got := now.who.Revoked(); !reflect.DeepEqual(got, before.who.Revoked()) {
			t.Errorf("revoked are %v, want %v", got, before.who.Revoked())
		}
		if now.informed == unread || now.unread != unread {
			t.Errorf("unread %v: it is informed %v, unread %v", unread, now.informed, now.unread)
		}
	}
}

// goldenPage is a page as version 1 writes it.
var goldenPage = &page{
	end: 1795400000, spent: tokenBucket{level: 1, at: 1795400000},
	login: &login{credential: "token", channels: []string{"a"}, subs: []level1.Start{{Target: "c"}}},
	live:  &live{channels: []string{"*"}, stream: &stream{}},
}

// TestGoldenPage has the bytes of version 1 never change: a later one reads them.
func TestGoldenPage(t *testing.T) {
	const want = "010580859db00d0209c0c28ed8868080c03f0396808080000105746f6b65" +
		"6e02016107010108838080800001016304868080800001012a050101"
	var f saved
	goldenPage.appendState(&f)
	if got := fmt.Sprintf("%x", []byte(f)); got != want {
		t.Errorf("it is %s, want %s", got, want)
	}
}

// TestLaterState has what a later version writes be refused, with a word of what to do, and what version 1 has written
// be read.
func TestLaterState(t *testing.T) {
	s := &Server{figuring: newFiguring(), config: config.Default()}
	if err := s.restoreState([]byte{1, stateFigures, 0}); err == nil || errors.Is(err, fields.ErrNewer) {
		t.Errorf("figures that are none: %v", err)
	}
	if err := s.restoreState([]byte{1, stateInformed, 1, 1}); err != nil || !s.informed {
		t.Errorf("version 1: %v", err)
	}
	for _, later := range [][]byte{{stateVersion + 1}, {stateVersion, stateReplays + 1, 1, 1}} {
		if err := s.restoreState(later); !errors.Is(err, fields.ErrNewer) || !strings.Contains(err.Error(), "--drain") {
			t.Errorf("%v: %v", later, err)
		}
	}
	line := crossedBackend{backend: &backend{}}
	for name, read := range map[string]func([]byte) error{
		"a page":                (&crossedPage{}).restoreState,
		"what it is":            (&page{}).restoreState,
		"what it says":          func(state []byte) error { return (&upstream{}).restoreState(state, someTime) },
		"what it publishes":     (&publication{}).restoreState,
		"what is known of it":   (&ended{}).restoreState,
		"another credential":    (&renewal{}).restoreState,
		"a connection":          func(state []byte) error { return line.restoreState(state, nil) },
		"rates":                 newGuard(config.Default(), config.Shares{}, nil).restoreState,
		"pages to be closed":    (&gap{}).restoreState,
		"what has been revoked": (&Server{who: anybody{}}).restoreRevoked,
	} {
		if err := read([]byte{100, 1, 1}); !errors.Is(err, fields.ErrNewer) {
			t.Errorf("%s with a field of a later version: %v", name, err)
		}
	}
}

// FuzzPage has no bytes be read as something that is written otherwise, and none panic.
func FuzzPage(f *testing.F) {
	var golden saved
	goldenPage.appendState(&golden)
	f.Add([]byte(golden))
	f.Fuzz(func(t *testing.T, state []byte) {
		p := &page{}
		if p.restoreState(state) != nil {
			return
		}
		var once, twice saved
		p.appendState(&once)
		again := &page{}
		if err := again.restoreState(once); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if again.appendState(&twice); !bytes.Equal(once, twice) {
			t.Fatalf("it is %x, and then %x", []byte(once), []byte(twice))
		}
	})
}

// FuzzState has none of the other states panic.
func FuzzState(f *testing.F) {
	f.Fuzz(func(t *testing.T, state []byte) {
		_ = (&ended{}).restoreState(state)
		_ = (&upstream{}).restoreState(state, someTime)
		_ = (&crossedBackend{backend: &backend{}}).restoreState(state, nil)
		_ = newGuard(config.Default(), config.Shares{}, nil).restoreState(state)
		_ = (&crossedPage{}).restoreState(state)
		_ = (&gap{}).restoreState(state)
		_ = (&Server{who: anybody{}}).restoreRevoked(state)
		(&Server{config: config.Default()}).trusts(state)
	})
}

// TestSettledClock has the clock be set back in a handover: pages of a predecessor are waited for no longer than at a
// start. What is over stays so.
func TestSettledClock(t *testing.T) {
	s := &Server{config: config.Default()}
	for at, longest := range map[time.Time]time.Duration{
		time.Now().Add(24 * time.Hour): s.reconnectWindow(),
		time.Now().Add(time.Second):    time.Second,
		time.Now().Add(-time.Hour):     -time.Hour,
	} {
		var f saved
		f.integer(stateSettled, at.Unix())
		if err := readFields(f, stateReplays, s.restoreShared); err != nil {
			t.Fatal(err)
		}
		if left := time.Until(s.hearing.settled); left > longest {
			t.Errorf("%v are left, want at most %v", left, longest)
		}
	}
}
