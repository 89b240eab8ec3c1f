package websocket_test

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
)

// asked sends a request, and says what the answer must accept it with.
func asked(t testing.TB, h *websocket.Handshake) (request, accept string) {
	t.Helper()
	b, err := h.AppendRequest([]byte("before"))
	request, ok := strings.CutPrefix(string(b), "before")
	if err != nil || !ok {
		t.Fatalf("%v, %q", err, b)
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return request, base64.StdEncoding.EncodeToString(sum[:])
}

func TestRequest(t *testing.T) {
	const fixed = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: K\r\n"
	for _, tt := range []struct {
		websocket.Handshake
		want string
	}{
		{websocket.Handshake{Host: "server.example"}, "GET / HTTP/1.1\r\nHost: server.example\r\n" + fixed + "\r\n"},
		{websocket.Handshake{
			Host: "[::1]:81", Path: "/a%20b?c=d", Subprotocols: []string{"best", "good"},
			Header: [][2]string{{"Origin", "http://x"}, {"X-A", "b\tc"}},
		},
			"GET /a%20b?c=d HTTP/1.1\r\nHost: [::1]:81\r\n" + fixed + "Sec-WebSocket-Protocol: best, good\r\n" +
				"Origin: http://x\r\nX-A: b\tc\r\n\r\n"},
		{websocket.Handshake{Host: "a", Compression: &websocket.Compression{}},
			"GET / HTTP/1.1\r\nHost: a\r\n" + fixed + "Sec-WebSocket-Extensions: permessage-deflate; " +
				"client_max_window_bits; server_no_context_takeover; client_no_context_takeover\r\n\r\n"},
		{websocket.Handshake{Host: "a", Compression: &websocket.Compression{ContextTakeover: true}},
			"GET / HTTP/1.1\r\n" +
				"Host: a\r\n" + fixed + "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"},
	} {
		keys := map[string]bool{}
		for range 3 {
			request, _ := asked(t, &tt.Handshake)
			before, rest, _ := strings.Cut(request, "Sec-WebSocket-Key: ")
			key, after, _ := strings.Cut(rest, "\r\n")
			if got := before + "Sec-WebSocket-Key: K\r\n" + after; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 {
				t.Errorf("the key is %q: %v", key, err)
			}
			keys[key] = true
		}
		if len(keys) != 3 {
			t.Errorf("three requests have the keys %v", keys)
		}
	}
}

func TestRequestRefused(t *testing.T) {
	field := func(name, value string) websocket.Handshake {
		return websocket.Handshake{Host: "a", Header: [][2]string{{name, value}}}
	}
	for _, h := range []websocket.Handshake{
		{}, {Host: "a b"}, {Host: "a\r\nX: y"}, {Host: "bücher.example"},
		{Host: "a", Path: "b"}, {Host: "a", Path: "/b c"}, {Host: "a", Path: "/b#c"}, {Host: "a", Path: "/\r\n"},
		{Host: "a", Subprotocols: []string{""}}, {Host: "a", Subprotocols: []string{"b c"}},
		{Host: "a", Subprotocols: []string{"b", "b"}}, field("", "x"), field("a b", "x"), field("A", "b\r\nC: d"),
		field("A", "\x00"), field("Host", "x"), field("upgrade", "x"), field("Connection", "x"),
		field("Content-Length", "1"), field("Transfer-Encoding", "chunked"), field("sec-websocket-key", "x"),
		field("Sec-WebSocket-Extensions", "x"),
	} {
		if b, err := h.AppendRequest([]byte("before")); !errors.Is(err, websocket.ErrHandshake) ||
			string(b) != "before" {
			t.Errorf("%+v: %q, %v", h, b, err)
		}
	}
}

// answer is a right one, but for what is changed; "" takes a field away.
func answer(accept string, changes ...string) string {
	fields := [][2]string{{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Accept", accept}}
	for i := 0; i < len(changes); i += 2 {
		fields = append(fields, [2]string{changes[i], changes[i+1]})
		for j := range fields[:3] {
			if fields[j][0] == changes[i] {
				fields[j][1] = ""
			}
		}
	}
	b := []byte("HTTP/1.1 101 Switching Protocols\r\n")
	for _, f := range fields {
		if f[1] != "" {
			b = fmt.Appendf(b, "%s: %s\r\n", f[0], f[1])
		}
	}
	return string(b) + "\r\n"
}

// TestAnswer has answers checked, at every split point, with a frame behind them.
func TestAnswer(t *testing.T) {
	const own = "ACCEPT" // becomes the right one
	for name, tt := range map[string]struct {
		answer      string
		status      int // of the error; -1: none
		reason      string
		subprotocol string
	}{
		"right": {answer: answer(own), status: -1},
		"in capitals, in lists": {answer: answer(own, "Upgrade", "WebSocket", "Connection", "keep-alive, UPGRADE"),
			status: -1},
		"further fields":  {answer: answer(own, "Set-Cookie", "a=b", "Content-Length", "0"), status: -1},
		"a subprotocol":   {answer: answer(own, "Sec-WebSocket-Protocol", "good"), status: -1, subprotocol: "good"},
		"no Upgrade":      {answer: answer(own, "Upgrade", ""), status: 101, reason: "Upgrade: websocket"},
		"another Upgrade": {answer: answer(own, "Upgrade", "h2c"), status: 101, reason: "Upgrade: websocket"},
		"two Upgrades": {answer: answer(own, "Upgrade", "websocket", "Upgrade", "websocket"), status: 101,
			reason: "Upgrade: websocket"},
		"no Connection": {answer: answer(own, "Connection", ""), status: 101, reason: "Connection: Upgrade"},
		"no Accept":     {answer: answer(""), status: 101, reason: "Sec-WebSocket-Accept"},
		"another Accept": {answer: answer("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), status: 101,
			reason: "Sec-WebSocket-Accept"},
		"two Accepts": {answer: answer(own, "sec-websocket-accept", own), status: 101, reason: "Sec-WebSocket-Accept"},
		"a subprotocol not asked": {answer: answer(own, "Sec-WebSocket-Protocol", "bad"), status: 101,
			reason: "\"bad\""},
		"an empty subprotocol": {answer: answer(own, "Sec-WebSocket-Protocol", " "), status: 101,
			reason: "subprotocol"},
		"two subprotocols": {
			answer: answer(own, "Sec-WebSocket-Protocol", "good", "Sec-WebSocket-Protocol", "good"), status: 101,
			reason: "subprotocol",
		},
		"an extension not asked": {answer: answer(own, "Sec-WebSocket-Extensions", "permessage-deflate"), status: 101,
			reason: "extension"},
		"HTTP/1.0": {answer: strings.Replace(answer(own), "1.1", "1.0", 1), status: 101, reason: "HTTP/1.1"},
		"200": {answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", status: 200,
			reason: "answered with 200 OK"},
		"401": {answer: "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\n", status: 401, reason: "401 Unauthorized"},
		"a redirect": {answer: "HTTP/1.1 302 Found\r\nLocation: wss://other.example/\r\n\r\n", status: 302,
			reason: "302 Found to \"wss://other.example/\": redirects are not followed"},
		"answers before it": {
			answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(own),
			status: -1,
		},
		"another before it": {answer: "HTTP/1.1 103 Early Hints\r\n\r\nhello", reason: "does not speak HTTP"},
		"endless before it": {
			answer: strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("x", 7000)+"\r\n\r\n", 10),
			reason: "too long",
		},

		"another protocol": {answer: "220 mail.example ESMTP\r\n\r\n", reason: "does not speak HTTP"},

		"no status":    {answer: "HTTP/1.1 \r\n\r\n", reason: "cannot be read"},
		"half a field": {answer: strings.Replace(answer(own), "Upgrade: ", "Upgrade ", 1), reason: "cannot be read"},
		"endless":      {answer: "HTTP/1.1 101 X\r\nA: " + strings.Repeat("b", 70_000), reason: "too long"},
		"long":         {answer: answer(own, "A", strings.Repeat("b", 65_000)), status: -1},
		"too long":     {answer: answer(own, "A", strings.Repeat("b", 66_000)), reason: "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &websocket.Handshake{Host: "a", Subprotocols: []string{"best", "good"}}
			const frame = "\x81\x05hello"
			step := 1 + len(tt.answer)/500
			for cut := 0; cut < len(tt.answer)+len(frame); cut += step {
				_, accept := asked(t, h)
				wire := strings.ReplaceAll(tt.answer, own, accept)
				n, a, err := h.Decode([]byte((wire + frame)[:cut]))
				if n == 0 && err == nil {
					n, a, err = h.Decode([]byte(wire + frame))
				}
				if tt.status < 0 {
					if err != nil || n != len(wire) || a.Subprotocol != tt.subprotocol {
						t.Fatalf("cut at %d: %d, %+v, %v", cut, n, a, err)
					}
					continue
				}
				var e *websocket.AnswerError
				if n != 0 || !errors.As(err, &e) || e.Status != tt.status || !strings.Contains(err.Error(), tt.reason) {
					t.Fatalf("cut at %d: %d, %v, want %d and %q", cut, n, err, tt.status, tt.reason)
				}
			}
		})
	}
}

// TestHandshakes has this package's client and server agree.
func TestHandshakes(t *testing.T) {
	for _, keeping := range []bool{false, true} {
		options := &websocket.Compression{ContextTakeover: keeping}
		h := &websocket.Handshake{Host: "server.example", Subprotocols: []string{"v2", "v1"}, Compression: options}
		head, _ := asked(t, h)
		std, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string][]string{}
		for _, name := range []string{
			"Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol",
			"Sec-WebSocket-Extensions",
		} {
			fields[name] = std.Header.Values(name)
		}
		p := &websocket.Protocol{Subprotocols: []string{"v1"}, Compression: options}
		ofServer, err := p.Check(request{method: "GET", host: std.Host, fields: fields})
		if err != nil {
			t.Fatal(err)
		}
		_, ofClient, err := h.Decode(websocket.AppendAccept(nil, ofServer))
		if err != nil || ofClient.Subprotocol != "v1" {
			t.Fatalf("%+v, %v", ofClient, err)
		}
		ends := []*websocket.Codec{websocket.NewServerCodec(1<<20, ofServer), websocket.NewClientCodec(1<<20, ofClient)}
		for i, from := range ends {
			to, first := ends[1-i], 0
			for round := range 3 {
				msg := []byte(texts(1000))
				wire, err := from.Append(nil, msg)
				if err != nil {
					t.Fatal(err)
				}
				if n, got, err := to.Decode(bytes.Clone(wire)); n != len(wire) || err != nil || !bytes.Equal(got, msg) {
					t.Fatalf("keeping %v, end %d: %d of %d, %v", keeping, i, n, len(wire), err)
				}
				if round == 0 {
					first = len(wire)
				} else if much := len(wire) < first/4; much != keeping || first > 400 {
					t.Errorf("keeping %v, end %d: %d bytes, then %d", keeping, i, first, len(wire))
				}
			}
		}
	}
}

// TestClient has the client's frames masked, each in its own way, and those of the server must not be.
func TestClient(t *testing.T) {
	c := websocket.NewClientCodec(1<<20, websocket.Accepted{})
	masks := map[string]bool{}
	for _, size := range []int{0, 5, 125, 126, 65535, 65536} {
		msg := texts(size)
		for range 3 {
			wire, err := c.AppendMessage([]byte("before"), websocket.Binary, []byte(msg))
			if err != nil {
				t.Fatal(err)
			}
			wire = wire[len("before"):]
			header := len(wire) - size
			mask := wire[header-4 : header]
			masks[string(mask)] = true
			if want := client(fin|bin, msg)[:header-4]; string(wire[:header-4]) != want {
				t.Errorf("%d bytes: the header is %q, want %q", size, wire[:header-4], want)
			}
			for i := range msg {
				wire[header+i] ^= mask[i&3]
			}
			if string(wire[header:]) != msg {
				t.Errorf("%d bytes: unmasked it is another message", size)
			}
		}
	}
	if len(masks) != 18 {
		t.Errorf("18 frames have %d masks", len(masks))
	}
	if close := c.AppendClose(nil, websocket.Normal, "bye"); len(close) != 2+4+2+3 || close[1] != 0x80|5 {
		t.Errorf("the Close frame is %q", close)
	}
	linemantest.TestCodec(t, compressing{client: true},
		linemantest.Vector{Name: "frames of a server",
			Wire:     server(fin|txt, "a") + server(ping, "b") + server(bin, "c") + server(fin|cont, "d"),
			Messages: []string{"text:a", "ping:b", "binary:cd"}},
		linemantest.Vector{Name: "a mask", Wire: client(fin|txt, "a"), Err: code(websocket.ProtocolError), ErrAfter: 2},
		linemantest.Vector{Name: "text in pieces", Wire: server(txt, "\xe2\x82") + server(fin|cont, "\xac"),
			Messages: []string{"text:€"}},
		linemantest.Vector{Name: "text that is none", Wire: server(fin|txt, "ab\xff"),
			Err: code(websocket.InvalidPayload)},
		linemantest.Vector{Name: "compressed, though that was not agreed on", Wire: server(fin|rsv1|txt, hello),
			Err: code(websocket.ProtocolError), ErrAfter: 1},
		linemantest.Vector{Name: "too long", Max: 4, Wire: server(fin|txt, "hello"),
			Err: code(websocket.TooBig), ErrAfter: 2})
}

// FuzzAnswer has no answer accepted that does not hold the proof that it is to this request, however it is cut.
func FuzzAnswer(f *testing.F) {
	f.Add(
		[]byte(answer("ACCEPT", "Sec-WebSocket-Protocol", "good", "Sec-WebSocket-Extensions",
			"permessage-deflate; server_no_context_takeover")), uint16(7))
	f.Add([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n"), uint16(30))
	f.Add([]byte("HTTP/1.1 101\r\n\r\n\x81\x00"), uint16(1))
	f.Fuzz(func(t *testing.T, wire []byte, at uint16) {
		h := &websocket.Handshake{Host: "a", Subprotocols: []string{"good"}, Compression: &websocket.Compression{}}
		_, accept := asked(t, h)
		wire = bytes.ReplaceAll(wire, []byte("ACCEPT"), []byte(accept))
		whole := *h
		n, a, err := whole.Decode(wire)
		m, b, err2 := h.Decode(wire[:min(int(at), len(wire))])
		if m == 0 && err2 == nil {
			m, b, err2 = h.Decode(wire)
		}
		if n != m || a != b || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Errorf("whole: %d, %+v, %v; cut at %d: %d, %+v, %v", n, a, err, at, m, b, err2)
		}
		var e *websocket.AnswerError
		switch {
		case err != nil && (n != 0 || !errors.As(err, &e)):
			t.Errorf("%d, %v", n, err)
		case n > 0 && (!bytes.Contains(wire[:n], []byte(accept)) || !bytes.HasSuffix(wire[:n], []byte("\r\n\r\n"))):
			t.Errorf("accepted %q", wire[:n])
		case n > 0 && a.Subprotocol != "" && a.Subprotocol != "good":
			t.Errorf("subprotocol %q", a.Subprotocol)
		}
	})
}
