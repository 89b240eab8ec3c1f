package websocket_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// chosen is the answer of a server with these options to offers, each in a field of its own.
func chosen(t testing.TB, c *websocket.Compression, offers ...string) (string, error) {
	t.Helper()
	a, err := (&websocket.Protocol{Compression: c}).Check(handshake(set("Sec-WebSocket-Extensions", offers...)))
	_, after, _ := strings.Cut(string(websocket.AppendAccept(nil, a)), "\r\nSec-WebSocket-Extensions: ")
	extension, _, _ := strings.Cut(after, "\r\n")
	return extension, err
}

// TestNegotiation is the server's side of RFC 7692, 7.1.
func TestNegotiation(t *testing.T) {
	const (
		kept  = "permessage-deflate"
		plain = kept + "; server_no_context_takeover; client_no_context_takeover"
	)
	bits := func(n string) [2]string {
		return [2]string{plain + "; server_max_window_bits=" + n, kept + "; server_max_window_bits=" + n}
	}
	for offered, want := range map[string][2]string{ // without and with ContextTakeover
		"":                                {"", ""},
		"permessage-deflate":              {plain, kept},
		",, permessage-deflate , ,":       {plain, kept},
		"x-webkit-deflate-frame":          {"", ""},
		"Permessage-Deflate":              {"", ""},
		"permessage-bzip2; a=b; c=\"d\"":  {"", ""},
		"foo, permessage-deflate, bar; x": {plain, kept},

		// 7.1.1: context takeover
		kept + "; server_no_context_takeover": {plain, kept + "; server_no_context_takeover"},
		kept + ";client_no_context_takeover":  {plain, kept + "; client_no_context_takeover"},

		"permessage-deflate; client_no_context_takeover; server_no_context_takeover":    {plain, plain},
		"permessage-deflate; server_no_context_takeover=1":                              {"", ""},
		"permessage-deflate; client_no_context_takeover=\"true\"":                       {"", ""},
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover":    {"", ""},
		"permessage-deflate; client_no_context_takeover; x; client_no_context_takeover": {"", ""},
		"permessage-deflate; client_no_context_takeover; client_max_window_bits; a; b; c; d; e; f;g": {
			"", "",
		},

		// 7.1.2: windows
		"permessage-deflate; client_max_window_bits":                                {plain, kept},
		"permessage-deflate; client_max_window_bits=10":                             {plain, kept},
		"permessage-deflate; client_max_window_bits=\"10\"":                         {plain, kept},
		"permessage-deflate; server_max_window_bits=10":                             bits("10"),
		"permessage-deflate; server_max_window_bits=\"1\\0\"":                       bits("10"),
		"permessage-deflate; server_max_window_bits = 8":                            bits("8"),
		"permessage-deflate; server_max_window_bits=15;\tclient_max_window_bits=15": bits("15"),
		"permessage-deflate; server_max_window_bits":                                {"", ""},
		"permessage-deflate; server_max_window_bits=7":                              {"", ""},
		"permessage-deflate; server_max_window_bits=16":                             {"", ""},
		"permessage-deflate; server_max_window_bits=08":                             {"", ""},
		"permessage-deflate; server_max_window_bits=+9":                             {"", ""},
		"permessage-deflate; server_max_window_bits=264":                            {"", ""},
		"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9":    {"", ""},
		"permessage-deflate; client_max_window_bits=7":                              {"", ""},
		"permessage-deflate; client_max_window_bits=x":                              {"", ""},
		"permessage-deflate; client_max_window_bits; client_max_window_bits=9":      {"", ""},

		// 5.1: fallbacks
		"permessage-deflate; unknown, permessage-deflate":                                     {plain, kept},
		kept + "; server_max_window_bits=3, permessage-deflate; server_max_window_bits=9":     bits("9"),
		"permessage-deflate; server_max_window_bits=9, permessage-deflate":                    bits("9"),
		kept + "; unknown=\"\\a\", " + kept + "; client_max_window_bits=z, permessage-deflat": {"", ""},
	} {
		for i, options := range []*websocket.Compression{{}, {ContextTakeover: true}} {
			if got, err := chosen(t, options, offered); err != nil || got != want[i] {
				t.Errorf("offered %q to %+v: %q, %v, want %q", offered, *options, got, err, want[i])
			}
		}
		if got, err := chosen(t, nil, offered); err != nil || got != "" {
			t.Errorf("offered %q without compression: %q, %v", offered, got, err)
		}
	}
	if got, err := chosen(t, &websocket.Compression{}, "foo", "permessage-deflate; x",
		"permessage-deflate"); err != nil || got != plain {
		t.Errorf("in the third field: %q, %v", got, err)
	}
}

// TestMalformedExtensions has lists refused that RFC 6455, 9.1 does not know.
func TestMalformedExtensions(t *testing.T) {
	for _, offered := range []string{
		";", "=", "a b", "a;", "a;;b", "a; b=", "a; b=\"", "a; b=\"c", "a; b=\"\"", "a; b=\"c d\"", "a; b=\"\\\"",
		"a; b=\"c\"d", "a=b", "a; b=c=d", "a\x00", "é", "permessage-deflate; server_max_window_bits=",
		"permessage-deflate, \"a\"", "permessage-deflate; (x)",
	} {
		var e *websocket.HandshakeError
		if got, err := chosen(t, &websocket.Compression{}, offered); !errors.As(err, &e) || e.Status != 400 {
			t.Errorf("offered %q: %q, %v", offered, got, err)
		}
		h := &websocket.Handshake{Host: "a", Compression: &websocket.Compression{}}
		_, accept := asked(t, h)
		if _, a, err := h.Decode([]byte(answer(accept, "Sec-WebSocket-Extensions", offered))); err == nil {
			t.Errorf("answered %q: %+v", offered, a)
		}
	}
}

// TestAgreement is the client's side of RFC 7692, 7.1.
func TestAgreement(t *testing.T) {
	for answered, want := range map[string][2]bool{ // accepted without and with ContextTakeover
		"permessage-deflate":                                                         {false, true},
		"permessage-deflate; server_no_context_takeover":                             {true, true},
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": {true, true},
		"permessage-deflate; server_no_context_takeover; client_max_window_bits=8":   {true, true},
		"permessage-deflate; server_no_context_takeover; client_max_window_bits":     {false, false},
		"permessage-deflate; server_no_context_takeover; client_max_window_bits=16":  {false, false},
		"permessage-deflate; server_no_context_takeover; server_max_window_bits=9":   {true, true},
		"permessage-deflate; server_no_context_takeover; server_max_window_bits":     {false, false},
		"permessage-deflate; server_no_context_takeover; unknown":                    {false, false},
		"permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover": {false,
			false},
		"permessage-deflate; server_no_context_takeover, foo":                        {false, false},
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover": {false, false},
		"foo":    {false, false},
		"\t, , ": {true, true}, // nothing
	} {
		for i, options := range []*websocket.Compression{{}, {ContextTakeover: true}} {
			h := &websocket.Handshake{Host: "a", Compression: options}
			_, accept := asked(t, h)
			_, _, err := h.Decode([]byte(answer(accept, "Sec-WebSocket-Extensions", answered)))
			var e *websocket.AnswerError
			if (err == nil) != want[i] || err != nil && !(errors.As(err, &e) && e.Status == 101) {
				t.Errorf("answered %q to %+v: %v", answered, *options, err)
			}
		}
	}
}

// FuzzExtensions has no offer answered with what the client of this package would not take, or with what was not
// offered.
func FuzzExtensions(f *testing.F) {
	for _, s := range []string{
		"permessage-deflate; server_max_window_bits=\"1\\0\"; client_max_window_bits, a; b=c", ",,", "a;b;c;d;e;f;g",
		"permessage-deflate; x, permessage-deflate",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		for _, options := range []*websocket.Compression{{}, {ContextTakeover: true}} {
			got, err := chosen(t, options, first, second)
			if err != nil || got == "" {
				continue
			}
			if !strings.Contains(first+second, "permessage-deflate") {
				t.Errorf("offered %q, %q, answered %q", first, second, got)
			}
			h := &websocket.Handshake{Host: "a", Compression: options}
			_, accept := asked(t, h)
			if _, _, err := h.Decode([]byte(answer(accept, "Sec-WebSocket-Extensions", got))); err != nil {
				t.Errorf("offered %q, %q, answered %q: %v", first, second, got, err)
			}
		}
	})
}
