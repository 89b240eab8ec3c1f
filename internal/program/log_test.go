package program

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

// TestForPeople shows a stack with its line breaks, behind its line, and leaves everything else as it is.
func TestForPeople(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	log.Error("panic", "panic", errors.New(`a "b"`), "stack", "goroutine 1:\nmain()\n\tx.go:1 \"q\"\n",
		"process", "w/0")
	want := "level=ERROR msg=panic panic=\"a \\\"b\\\"\" process=w/0\ngoroutine 1:\nmain()\n\tx.go:1 \"q\"\n"
	if got := string(forPeople(b.Bytes())); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, line := range []string{"", "\n", "level=INFO msg=x\n", "level=INFO msg=x stack=plain\n",
		`level=INFO msg=x stack="half`,
		`{"level":"INFO","stack":"a\nb"}` + "\n"} {
		if got := string(forPeople([]byte(line))); got != line {
			t.Errorf("%q became %q", line, got)
		}
	}
	if strings.Count(b.String(), "\n") != 1 {
		t.Errorf("elsewhere it is one line: %q", b.String())
	}
}
