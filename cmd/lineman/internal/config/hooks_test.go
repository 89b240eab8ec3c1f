package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const goodHookURL = "https://app.example.com/hook?shop=7"

// TestHooks changes one thing of a good hook: nothing is said, or what is wrong with it.
func TestHooks(t *testing.T) {
	url := func(u string) func(*Hook) { return func(h *Hook) { h.URL = u } }
	private := func(u string) func(*Hook) { return func(h *Hook) { h.URL, h.Private = u, true } }
	for _, c := range []struct {
		name   string
		change func(*Hook)
		says   []string
	}{
		{"nothing", func(*Hook) {}, nil},
		{"no URL", url(""), []string{"config: hooks.app.url: want a URL"}},
		{"a name", url("app.example.com"), []string{"want a URL"}},
		{"another scheme", url("file:///etc/passwd"), []string{"want a URL"}},
		{"a fragment", url("https://app.example.com/#a"), []string{"want a URL"}},
		{"a password", url("https://u:hush@app.example.com/"), []string{"a URL with a password"}},
		{"http", url("http://app.example.com/"), []string{"who is on the way could read"}},
		{"this machine", url("https://localhost/"), []string{"is on this machine or in a private network"}},
		{"a private address", url("https://10.1.2.3/"), []string{"is on this machine"}},
		{"a private address, mapped", url("https://[::ffff:10.1.2.3]/"), []string{"is on this machine"}},
		{"metadata", url("https://169.254.169.254/"), []string{"is on this machine"}},
		{"private http", private("http://127.0.0.1:8080/hook"), nil},
		{"a private password", private("http://u:hush@127.0.0.1:8080/"), []string{"a URL with a password"}},
		{"no secret", func(h *Hook) { h.Secrets = nil },
			[]string{"config: hooks.app.secrets: are none: whoever finds the URL could make up events"}},
		{"no secret in private", func(h *Hook) { h.Secrets, h.Private = nil, true }, nil},
		{"a short secret", func(h *Hook) { h.Secrets = []string{"short"} }, []string{"a secret of 5 characters"}},
		{"neither", func(h *Hook) { h.Events = nil }, []string{"hooks.app: is told nothing and asked nothing"}},
		{"decides alone", func(h *Hook) { h.Events, h.Decides, h.DeadLetters = nil, []string{"rpc"}, "" }, nil},
		{"a wrong event", func(h *Hook) { h.Events = []string{"mesage"} },
			[]string{`hooks.app.events: "mesage": did you mean message?`}},
		{"a wrong decision", func(h *Hook) { h.Decides = []string{"kick"} }, []string{"hooks.app.decides: "}},
		{"a wrong word", func(h *Hook) { h.Away = "allowed" }, []string{`"allowed": did you mean allow?`}},
		{"a wrong pattern", func(h *Hook) { h.Of = []string{"a*b"} }, []string{"hooks.app.of: "}},
		{"zeros", func(h *Hook) { h.Timeout, h.Batch, h.Parallel, h.GiveUp = 0, 0, 0, 0 },
			[]string{"app.timeout: 0s: want more", "app.batch: 0", "app.parallel: 0", "app.give_up: 0s"}},
		{"too many", func(h *Hook) { h.Batch, h.Parallel = 10_001, 65 },
			[]string{"app.batch: 10001: want at most 10000", "app.parallel: 65: want at most 64"}},
		{"no dead letters", func(h *Hook) { h.DeadLetters = "" }, []string{"app.dead_letters: is empty"}},
	} {
		config, hook := Default(), DefaultHook()
		config.Dev = true
		hook.URL, hook.Events, hook.Secrets = goodHookURL, []string{"message"}, []string{goodKey}
		c.change(&hook)
		config.Hooks = map[string]Hook{"app": hook}
		err := config.Check()
		says(t, c.name, err, c.says...)
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: a password is shown: %v", c.name, err)
		}
	}
}

// TestHooksOfFile has hooks of a file be as they are written, with the defaults where nothing is said, and each
// decision be that of one hook.
func TestHooksOfFile(t *testing.T) {
	l, err := loadFile(t, "events: {messages: back end, keep: 2m}\nhooks:\n  app:\n    url: "+goodHookURL+
		"\n    events: [message, close]\n    of: ['chat:*']\n    secret_files: ["+write(t, "a secret of a file\n")+
		"]\n    secrets: ["+goodKey+"]\n  judge: {url: 'http://10.0.0.1/', decides: [connect], private: true}\n")
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultHook()
	want.URL, want.Events, want.Of = goodHookURL, []string{"message", "close"}, []string{"chat:*"}
	want.Secrets, want.SecretFiles = []string{goodKey, "a secret of a file"}, l.Hooks["app"].SecretFiles
	if got := l.Hooks["app"]; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if e := l.Events; e.Messages != ToBackEnd || e.Keep != 2*time.Minute || e.Waiting != 100_000 {
		t.Errorf("events are %+v", e)
	}
	if name, h, ok := l.Decider("connect"); name != "judge" || !h.Private || !ok {
		t.Errorf("%s decides, %+v", name, h)
	}
	if name, _, ok := l.Decider("rpc"); ok {
		t.Errorf("%s decides rpc", name)
	}
	_, err = loadFile(t, "hooks:\n  b: {url: 'http://10.0.0.1/', decides: [connect, rpc], private: true}\n"+
		"  a: {url: 'http://10.0.0.1/', decides: [connect], private: true}\n"+
		"  'a b': {url: 'http://10.0.0.1/', decides: [subscribe], private: true}\n")
	says(t, "two that decide", err, `:1: hooks.b.decides: connect: the hook "a" decides it`,
		`"hooks.a b": want a name of 1 to 64 letters, digits, - and _`)
	_, err = loadFile(t, "hooks: {app: {url: '"+goodHookURL+"', events: [close], secret_files: [/no/such/file]}}")
	says(t, "no such file", err, `:1: hooks.app.secret_files: "/no/such/file": `)
}

// TestHookFiles has pages get fewer descriptors by those of hooks.
func TestHookFiles(t *testing.T) {
	with, without := Default(), Default()
	h := DefaultHook()
	h.Events, h.Decides = []string{"message"}, []string{"rpc"}
	with.Hooks = map[string]Hook{"app": h}
	a, _, err := without.Share(1024)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := with.Share(1024)
	if err != nil || a.Pages-b.Pages != 4+1+MostAsked {
		t.Errorf("%d and %d pages, %v", a.Pages, b.Pages, err)
	}
}

// TestAsksWho has a hook that decides connect be enough in production, and no reason for dev mode. It is told cookies,
// unless any page may connect.
func TestAsksWho(t *testing.T) {
	const asks = "hooks: {app: {url: 'http://10.0.0.1/', private: true, decides: [connect]}}\n"
	for text, want := range map[string]struct{ dev, cookies bool }{
		asks: {false, true}, "listen: :80\n" + asks: {false, true}, "dev: true\n" + asks: {true, true},
		"origins: ['https://*.example.com']\n" + asks: {false, true}, "origins: ['*']\n" + asks: {false, false},
		"origins: ['https://example.com', 'null']\n" + asks: {false, false},
	} {
		l, err := loadFile(t, text)
		if err != nil || l.Dev != want.dev || !l.AsksWho() || l.PassesCookies() != want.cookies {
			t.Errorf("%s: dev is %t, cookies are passed: %t: %v", text, l.Dev, l.PassesCookies(), err)
		}
	}
	l, err := loadFile(t, "hooks: {app: {url: 'http://10.0.0.1/', private: true, decides: [rpc]}}\n")
	if err != nil || !l.Dev || l.AsksWho() || l.PassesCookies() {
		t.Errorf("a hook that decides rpc: %+v, %v", l, err)
	}
}
