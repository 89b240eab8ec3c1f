package websocket_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestCloseCodes has each code that may be sent accepted, and no other (RFC 6455, 7.4).
func TestCloseCodes(t *testing.T) {
	valid := func(c int) bool {
		switch c {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			return true
		}
		return c >= 3000 && c < 5000
	}
	for c := range 1 << 16 {
		payload := binary.BigEndian.AppendUint16(nil, uint16(c))
		goodbye, err := websocket.ParseClose(payload)
		if (err == nil) != valid(c) || err == nil && int(goodbye.Code) != c {
			t.Fatalf("code %d: %v, %v", c, goodbye, err)
		}
		want := "\x88\x00"
		if valid(c) {
			want = "\x88\x02" + string(payload)
		}
		if got := plainServer().AppendClose(nil, websocket.Code(c), ""); string(got) != want {
			t.Fatalf("code %d is sent as %q", c, got)
		}
	}
}

func TestParseClose(t *testing.T) {
	for payload, want := range map[string]any{
		"":                 &websocket.CloseError{Code: websocket.NoStatus},
		"\x03":             websocket.ProtocolError,
		"\x03\xe8":         &websocket.CloseError{Code: websocket.Normal},
		"\x0f\xa0gone é":   &websocket.CloseError{Code: 4000, Reason: "gone é"},
		"\x03\xe8\xff":     websocket.InvalidPayload,
		"\x03\xe8\xe2\x82": websocket.InvalidPayload,
		"\x03\xed":         websocket.ProtocolError,
	} {
		goodbye, err := websocket.ParseClose([]byte(payload))
		var e *websocket.Error
		switch want := want.(type) {
		case *websocket.CloseError:
			if err != nil || *goodbye != *want {
				t.Errorf("%q: %v, %v", payload, goodbye, err)
			}
		case websocket.Code:
			if !errors.As(err, &e) || e.Code != want {
				t.Errorf("%q: %v, want %d", payload, err, want)
			}
		}
	}
}

func TestAppendClose(t *testing.T) {
	for _, tt := range []struct{ reason, want string }{
		{"", ""}, {"bye", "bye"}, {"\xff", ""},
		{strings.Repeat("x", 123), strings.Repeat("x", 123)}, {strings.Repeat("x", 124), strings.Repeat("x", 123)},
		{strings.Repeat("é", 62), strings.Repeat("é", 61)}, // 124 bytes: cut at a character, not inside
		{"ab" + strings.Repeat("😀", 40), "ab" + strings.Repeat("😀", 30)},
	} {
		got := plainServer().AppendClose(nil, websocket.Normal, tt.reason)
		if want := fmt.Sprintf("\x88%c\x03\xe8%s", 2+len(tt.want), tt.want); string(got) != want {
			t.Errorf("%q is sent as %q", tt.reason, got)
		}
	}
}

func TestCloseErrorText(t *testing.T) {
	for e, want := range map[*websocket.CloseError]string{
		{Code: 1001}:                  "websocket: closed by the peer with 1001",
		{Code: 4000, Reason: "later"}: "websocket: closed by the peer with 4000: later",
	} {
		if e.Error() != want {
			t.Errorf("got %q", e.Error())
		}
	}
}
