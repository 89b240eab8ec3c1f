package command_test

import (
	"strings"
	"testing"
)

// FuzzLine asks whatever may come: every line has one answer.
func FuzzLine(f *testing.F) {
	for _, line := range []string{`{"uid":"x"}`, `{"cmd":"pub","to":["u:x","*"],"data":{}}`, `{"cmd":"kick","to":"c:a.1"}`, `{"cmd":"list","to":"*"}`, `[`, "\xff"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		b := newBench(t)
		b.add("x")
		answer := b.ask(line, nil)
		if !strings.HasPrefix(answer, "error: ") && answer != "fail" && answer != "ok" && !strings.HasPrefix(answer, `{"ok":`) {
			t.Errorf("%q is answered %q", line, answer)
		}
		if strings.ContainsAny(answer, "\r\n") {
			t.Errorf("%q: the answer is several lines: %q", line, answer)
		}
	})
}

// BenchmarkLine is what a plain line of a back end costs beside what the loop does.
func BenchmarkLine(b *testing.B) {
	w := newBench(b)
	c, _ := w.add("uid1")
	line := []byte(`{"uid":"uid1","percent":"88%"}`)
	b.ReportAllocs()
	for range b.N {
		w.Line(line, nil, func([]byte) {})
		c.got = c.got[:0]
	}
}
