package command_test

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push/command"
)

// FuzzLine asks whatever may come: every line has one answer.
func FuzzLine(f *testing.F) {
	for _, line := range []string{
		`{"uid":"x"}`, `{"cmd":"pub","to":["u:x","*"],"data":{}}`, `{"cmd":"kick","to":"c:a.1"}`,
		`{"cmd":"list","to":"*"}`, `[`, "\xff", `{"uid":"\ud83d\ude00","uid":"x"}`,
		`{"cmd":"pub","to":"u:\ud800","text":"\udc00"}`, `{"Cmd":"pub","to":"*"}`,
		`{"cmd":"history","to":"chat:7","since":"k3f9.12c","limit":3}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		b := newBench(t)
		b.add("x")
		answer := b.ask(line, nil)
		if !strings.HasPrefix(answer, "error: ") && answer != "fail" && answer != "ok" &&
			!strings.HasPrefix(answer, `{"ok":`) {
			t.Errorf("%q is answered %q", line, answer)
		}
		if strings.ContainsAny(answer, "\r\n") {
			t.Errorf("%q: the answer is several lines: %q", line, answer)
		}
	})
}

// TestAuthKey finds the key of a line that says one, and no other.
func TestAuthKey(t *testing.T) {
	for _, w := range []struct {
		line, key string
		says      bool
	}{
		{`{"cmd":"auth","key":"k"}`, "k", true}, {` { "key" : "k\u0021" , "cmd" : "auth" } `, "k!", true},
		{`{"cmd":"auth"}`, "", true}, {`{"cmd":"auth","key":7}`, "", true},
		{`{"cmd":"auth","key":"k","key":"l"}`, "", true}, {`{"cmd":"auth","KEY":"k"}`, "", true},
		{`{"Cmd":"auth","key":"k"}`, "", false}, {`{"cmd":"auth","cmd":"auth","key":"k"}`, "", false},
		{`{"cmd":"pub","cmd":"auth","key":"k"}`, "", false}, {`{"uid":"auth","key":"k"}`, "", false},
		{`"auth"`, "", false}, {`{"auth"`, "", false}, {``, "", false},
	} {
		if key, says := command.AuthKey([]byte(w.line)); key != w.key || says != w.says {
			t.Errorf("%s: %q, %v, want %q, %v", w.line, key, says, w.key, w.says)
		}
	}
}

// BenchmarkLine is what a plain line of a back end costs beside what the loop does.
func BenchmarkLine(b *testing.B) {
	w := newBench(b)
	c, _ := w.add("uid1")
	line := []byte(`{"uid":"uid1","percent":"88%"}`)
	b.ReportAllocs()
	for range b.N {
		w.Line(line, command.Caller{}, func([]byte) {})
		c.got = c.got[:0]
	}
}
