package hook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/lineman-go/lineman/push"
)

var noon = time.Unix(1_795_400_000, 0)

func text(n int) string { return `"` + strings.Repeat("x", n-2) + `"` }

// TestAnswersWrong takes no answer by half.
func TestAnswersWrong(t *testing.T) {
	for why, all := range map[string][]string{
		"connect": {
			``, ` `, `null`, `7`, `"x"`, `[]`, `[{"uid":"7"}]`, `{"uid":"7"}x`, `{"uid":"7"`, `{}`,
			"{\"uid\":\"\xff\"}",
			`{"UID":"7"}`, `{"uid":null}`, `{"uid":""}`, `{"uid":7.0}`, `{"uid":1e3}`, `{"uid":-0}`, `{"uid":true}`,
			`{"uid":["7"]}`, `{"uid":{}}`, `{"uid":"\ud800"}`, `{"uid":"a\u0000"}`, `{"uid":"a\nb"}`,
			`{"uid":` + text(258) + `}`, `{"uid":"7","uid":"8"}`, `{"uid":"7","u\u0069d":"8"}`,
			`{"uid":"7","refuse":"no"}`, `{"refuse":7}`, `{"refuse":true}`, `{"refuse":` + text(126) + `}`,
			`{"refuse":"no","code":1000}`, `{"refuse":"no","code":3999}`, `{"refuse":"no","code":5000}`,
			`{"refuse":"no","code":"4001"}`, `{"refuse":"no","code":4001.5}`, `{"refuse":"no","code":-1}`,
			`{"uid":"7","channels":"chat:*"}`, `{"uid":"7","channels":["u:8"]}`, `{"uid":"7","channels":["g:*"]}`,
			`{"uid":"7","channels":[null]}`, `{"uid":"7","channels":["a*b"]}`, `{"uid":"7","channels":["c:1.1"]}`,
			`{"uid":"7","channels":[["x"]]}`, `{"uid":"7","channels":{}}`, `{"uid":"7","publish":[""]}`,
			`{"uid":"7","publish":["u:8"]}`, `{"uid":"7","publish":true}`, `{"uid":"7","groups":["\ud800"]}`,
			`{"uid":"7","groups":[""]}`, `{"uid":"7","groups":"x"}`, `{"uid":"7","info":` + text(1025) + `}`,
			`{"uid":"7","session":` + text(4097) + `}`, `{"uid":"7","expires":1795400000}`, `{"uid":"7","expires":0}`,
			`{"uid":"7","expires":"9000000000"}`, `{"uid":"7","expires":1795400000123}`, `{"uid":"7","expires":9e9}`,
			`{"uid":"7","cache":-1}`, `{"uid":"7","cache":86401}`, `{"uid":"7","cache":1.5}`,
			`{"uid":"7","cache":true}`,
			`{"uid":"7","x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`,
		},
		"subscribe": {
			`{}`, `{"allow":null}`, `{"allow":1}`, `{"allow":"true"}`, `{"Allow":true}`, `{"allow":true,"allow":false}`,
			`{"allow":false,"why":7}`, `{"allow":false,"why":` + text(126) + `}`, `{"allow":true,"cache":-1}`,
			`{"uid":"7"}`, `true`,
		},
		"publish": {`{}`, `{"skip":true}`, `{"allow":true,"skip":1}`, `{"allow":"no"}`, `{"data":{}}`},
		"rpc": {
			`{}`, `{"error":null}`, `{"data":1,"error":"x"}`, `{"error":7}`, `{"error":"x","code":399}`,
			`{"error":"x","code":5000}`, `{"error":"x","code":"404"}`, `7`, `{"error":` + text(126) + `}`,
		},
	} {
		for _, text := range all {
			if a, err := parsers[why]([]byte(text), noon); err == nil {
				t.Errorf("%s takes %.100s: %+v", why, text, a)
			}
		}
	}
}

var parsers = map[string]func([]byte, time.Time) (*answer, error){
	"connect": parseConnect, "subscribe": parseSubscribe, "publish": parsePublish, "rpc": parseRPC,
}

// TestAnswers takes those at the bounds.
func TestAnswers(t *testing.T) {
	for why, all := range map[string][]string{
		"connect": {
			`{"uid":` + text(257) + `}`, `{"uid":-7}`, ` {"uid" : "é" , "x":[1]} `, `{"refuse":""}`,
			`{"uid":"7","refuse":null}`, `{"refuse":` + text(125) + `,"code":4999}`,
			`{"uid":"7","info":` + text(1024) + `,"session":` + text(4096) + `}`,
			`{"uid":"7","channels":[],"publish":null,"groups":null,"info":null,"session":null,"expires":null}`,
			`{"uid":"7","expires":1795400001,"cache":86400}`,
		},
		"subscribe": {`{"allow":true}`, `{"allow":false}`, `{"allow":false,"why":"é","cache":0}`},
		"publish": {
			`{"allow":true,"data":null}`, `{"allow":true,"data":"x","skip":false}`, `{"allow":false,"skip":7}`,
		},
		"rpc": {`{"data":null}`, `{"data":{"a":[]}}`, `{"data":7,"error":null}`, `{"error":"","code":4999}`},
	} {
		for _, text := range all {
			if _, err := parsers[why]([]byte(text), noon); err != nil {
				t.Errorf("%s refuses %.100s: %v", why, text, err)
			}
		}
	}
}

func FuzzConnectAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"uid":"7","channels":["chat:*"],"publish":["chat:42"],"groups":["staff"],"expires":9000000000}`,
		`{"uid":"7","info":{},"session":{}}`, `{"refuse":"why","code":4001,"cache":60}`, `{"uid":7}`, `{"uid":-0}`,
		`{"uid":"\ud800"}`, `{}`, `[`, `{"uid":"7","uid":"8"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := parseConnect(text, noon)
		if err != nil {
			return
		}
		if a.keep < 0 || a.keep > 24*time.Hour {
			t.Errorf("kept for %v", a.keep)
		}
		if r := a.refusal; r != nil {
			if a.login.UID != "" || r.Code < 4000 || r.Code > 4999 || len(r.Why) > 123 || !utf8.ValidString(r.Why) {
				t.Errorf("%+v", a)
			}
			return
		}
		checkLogin(t, &a.login)
	})
}

// checkLogin checks what a page gets against the rules of package push.
func checkLogin(t *testing.T, l *Login) {
	t.Helper()
	if err := push.UID(l.UID).Check(); err != nil {
		t.Error(err)
	}
	for _, p := range append(l.Channels, l.Publish...) {
		if err := push.CheckPattern(p); err != nil {
			t.Error(err)
		}
		for _, other := range []string{"u:7", "g:staff", "c:5f3a.1"} {
			if p != "*" && len(p) > 1 && push.Match([]string{p}, other) && p[:2] == other[:2] {
				t.Errorf("the pattern %q has %s", p, other)
			}
		}
	}
	for _, g := range l.Groups {
		if err := push.Group(g).Check(); err != nil {
			t.Error(err)
		}
	}
	if len(l.Info) > push.MaxInfo || len(l.Session) > maxSession || l.Info != nil && !json.Valid(l.Info) ||
		l.Session != nil && !json.Valid(l.Session) || !l.Expires.IsZero() && !l.Expires.After(noon) {
		t.Errorf("%+v", l)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"allow":true,"cache":60}`, `{"allow":false,"why":"no"}`, `{"allow":true,"data":{"a":1},"skip":true}`,
		`{"data":null}`, `{"error":"x","code":404}`, `{"data":1,"error":null}`, `{"allow":null}`, "{\"data\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for why, parse := range parsers {
			a, err := parse(text, noon)
			if err != nil {
				continue
			}
			if a.data != nil && (!json.Valid(a.data) || !utf8.Valid(a.data)) {
				t.Errorf("%s: %q", why, a.data)
			}
			if r := a.refusal; r != nil && (len(r.Why) > 123 || !utf8.ValidString(r.Why) || a.data != nil || a.skip) {
				t.Errorf("%s: %+v", why, a)
			}
			if why == "rpc" && a.refusal == nil && a.data == nil || (why == "rpc" || why == "publish") && a.keep > 0 {
				t.Errorf("%s: %+v", why, a)
			}
		}
	})
}
