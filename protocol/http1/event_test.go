package http1_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/protocol"
	"github.com/lineman-go/lineman/protocol/http1"
)

// TestEvent has each field of an event on its lines, and what would be further lines refused.
func TestEvent(t *testing.T) {
	for _, c := range []struct {
		event http1.Event
		want  string // "" if it is refused
	}{
		{http1.Event{}, "\n"},
		{http1.Event{Comment: "beat"}, ": beat\n\n"},
		{http1.Event{ID: "7", Name: "news", Retry: 1500 * time.Millisecond, Data: []byte("a")},
			"id: 7\nevent: news\nretry: 1500\ndata: a\n\n"},
		{http1.Event{Data: []byte("a\nb\rc\r\nd")}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		{http1.Event{Data: []byte("a\r\n")}, "data: a\ndata: \n\n"},
		{http1.Event{Data: []byte("a\r")}, "data: a\ndata: \n\n"},
		{http1.Event{Data: []byte("\n\r")}, "data: \ndata: \ndata: \n\n"},
		{http1.Event{ID: "7\ndata: forged"}, ""},
		{http1.Event{ID: "7\rdata: forged"}, ""},
		{http1.Event{ID: "7\x00"}, ""},
		{http1.Event{Name: "news\ndata: forged"}, ""},
		{http1.Event{Name: "news\r"}, ""},
		{http1.Event{Comment: "beat\ndata: forged"}, ""},
	} {
		got, err := c.event.Append([]byte("before "))
		if (err != nil) != (c.want == "") || string(got) != "before "+c.want {
			t.Errorf("%+v: %q, %v, want %q", c.event, got, err, c.want)
		}
	}
}

// TestDate has the field tell the second, however often it is asked, forwards and back, and a plain answer be that of a
// Response.
func TestDate(t *testing.T) {
	var d http1.Date
	at := time.Date(2026, 11, 28, 19, 59, 59, 999_999_999, time.FixedZone("", 3600))
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{at, "Sat, 28 Nov 2026 18:59:59 GMT"},
		{at.Add(-time.Millisecond), "Sat, 28 Nov 2026 18:59:59 GMT"},
		{at.Add(time.Nanosecond), "Sat, 28 Nov 2026 19:00:00 GMT"},
		{at, "Sat, 28 Nov 2026 18:59:59 GMT"},
	} {
		if got := string(d.Now(c.at)); got != c.want {
			t.Errorf("at %v it is %s, want %s", c.at, got, c.want)
		}
		for _, body := range []string{"x", strings.Repeat("x", 1000)} {
			answer := http1.Response{Body: []byte(body)}
			want, err := answer.Append([]byte("before"), http1.Exchange{}, []byte(c.want))
			got := d.AppendPlain([]byte("before"), []byte(body), c.at.Unix())
			if err != nil || string(got) != string(want) {
				t.Errorf("at %v a plain answer is %.200q, %v; want %.200q", c.at, got, err, want)
			}
		}
	}
}

// TestErrorIs has only a body that is too large match ErrTooLarge.
func TestErrorIs(t *testing.T) {
	for _, c := range []struct {
		status int
		target error
		want   bool
	}{{413, protocol.ErrTooLarge, true}, {400, protocol.ErrTooLarge, false}, {413, io.EOF, false}} {
		if got := errors.Is(&http1.Error{Status: c.status}, c.target); got != c.want {
			t.Errorf("%d is %v: %v", c.status, c.target, got)
		}
	}
}
