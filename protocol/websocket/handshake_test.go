package websocket_test

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// request is the head of a handshake.
type request struct {
	method, host string
	http10       bool
	fields       map[string][]string
}

func (r request) Method() string       { return r.method }
func (r request) ProtoAtLeast11() bool { return !r.http10 }
func (r request) Host() []byte         { return []byte(r.host) }

func (r request) Value(name string, i int) []byte {
	if v := r.fields[name]; i < len(v) {
		return []byte(v[i])
	}
	return nil
}

// handshake is a right one, changed by f.
func handshake(f func(r *request)) request {
	r := request{method: "GET", host: "server.example:8080", fields: map[string][]string{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-WebSocket-Version": {"13"},
		"Sec-WebSocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	if f != nil {
		f(&r)
	}
	return r
}

func set(name string, values ...string) func(r *request) {
	return func(r *request) { r.fields[name] = values }
}

func TestCheck(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(r *request)
		status int // 0: right
	}{
		"right":             {nil, 0},
		"Upgrade in a list": {set("Upgrade", "h2c, WebSocket"), 0},
		"Upgrade in a second field": {set("Upgrade", "h2c", "websocket"),
			0},
		"Connection in a list":   {set("Connection", "keep-alive, upgrade"), 0},
		"Upgrade in capitals":    {set("Upgrade", "WEBSOCKET"), 0},
		"Connection in capitals": {set("Connection", "Keep-Alive ,\tUPGRADE"), 0},
		"Connection in two fields": {set("Connection", "keep-alive", "Upgrade"),
			0},
		"an empty Upgrade":      {set("Upgrade", " , "), 426},
		"a long s for an s":     {set("Upgrade", "web\u017focket"), 426},
		"a Kelvin sign for a k": {set("Upgrade", "websoc\u212aet"), 426},
		"versions in a list":    {set("Sec-WebSocket-Version", "13, 8"), 426},
		"an empty key":          {set("Sec-WebSocket-Key", ""), 400},
		"a key with no padding": {set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400},
		"an empty Origin":       {set("Origin", ""), 403},
		"no Upgrade":            {set("Upgrade"), 426},
		"another Upgrade":       {set("Upgrade", "websockets"), 426},
		"no Connection":         {set("Connection"), 400},
		"another Connection":    {set("Connection", "keep-alive"), 400},
		"POST":                  {func(r *request) { r.method = "POST" }, 405},
		"HTTP/1.0":              {func(r *request) { r.http10 = true }, 400},
		"no Host":               {func(r *request) { r.host = "" }, 400},
		"no version":            {set("Sec-WebSocket-Version"), 426},
		"version 8":             {set("Sec-WebSocket-Version", "8"), 426},
		"version 13 twice":      {set("Sec-WebSocket-Version", "13", "13"), 426},
		"no key":                {set("Sec-WebSocket-Key"), 400},
		"a short key":           {set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"), 400},
		"a long key":            {set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQABCA=="), 400},
		"a key without padding": {set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZTEy"), 400},
		"a key that is no base64": {set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j*Q=="),
			400},
		"a body":           {set("Content-Length", "5"), 400},
		"a body in chunks": {set("Transfer-Encoding", "chunked"), 400},
		"an empty body":    {set("Content-Length", "0"), 0},
		"two keys":         {set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), 400},
		"an extension is not chosen": {set("Sec-WebSocket-Extensions", "permessage-deflate"),
			0},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := (&websocket.Protocol{}).Check(handshake(tt.change))
			var e *websocket.HandshakeError
			switch {
			case tt.status == 0 && err != nil:
				t.Errorf("refused: %v", err)
			case tt.status != 0 && (!errors.As(err, &e) || e.Status != tt.status || e.Reason == ""):
				t.Errorf("got %v, want %d", err, tt.status)
			case tt.status == 0:
				const want = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
					"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n" // RFC 6455, 1.3
				if got := string(websocket.AppendAccept(nil, a)); got != want {
					t.Errorf("the answer is %q", got)
				}
			}
		})
	}
}

func TestFields(t *testing.T) {
	for status, want := range map[int]map[string]string{
		400: {}, 403: {}, 405: {"Allow": "GET"}, 426: {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
	} {
		got := map[string]string{}
		for _, f := range (&websocket.HandshakeError{Status: status}).Fields() {
			got[f[0]] = f[1]
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
}

func TestOrigins(t *testing.T) {
	listed := []string{"https://good.example", "https://*.wild.example", "http://port.example:81"}
	for _, tt := range []struct {
		host, origin string
		origins      []string
		allowed      bool
	}{
		{"server.example", "", nil, true}, // a program
		{"server.example", "https://server.example", nil, true},
		{"server.example:8080", "http://SERVER.example:3000", nil, true},
		{"server.example", "https://other.example", nil, false},
		{"server.example", "https://server.example.evil.example", nil, false},
		{"server.example", "https://evilserver.example", nil, false},
		{"server.example", "null", nil, false},
		{"server.example", "null", []string{"null"}, true},
		{"server.example", "https://any.example", []string{"*"}, true},
		{"server.example", "https://good.example", listed, true},
		{"server.example", "https://GOOD.example", listed, true},
		{"server.example", "http://good.example", listed, false},
		{"server.example", "https://a.wild.example", listed, true},
		{"server.example", "https://a.b.wild.example", listed, true},
		{"server.example", "https://wild.example", listed, false},
		{"server.example", "https://.wild.example", listed, false},
		{"server.example", "https://evilwild.example", listed, false},
		{"server.example", "http://port.example:81", listed, true},
		{"server.example", "http://port.example:82", listed, false},
		{"localhost:1234", "http://127.0.0.1:8000", nil, true},
		{"127.0.0.1:1234", "http://localhost", nil, true},
		{"[::1]:1234", "http://app.localhost:8000", nil, true},
		{"127.0.0.1", "http://localhost.evil.example", nil, false},
		{"192.0.2.1:1", "http://192.0.2.1", nil, true},
		{"server.example", "app://server.example", nil, false},
		{"server.example", "https://a.example", []string{"https://a.example:443"}, true},
		{"server.example", "http://b.a.example", []string{"http://*.a.example:80"}, true},
		{"server.example", "https://a.example", []string{"https://a.example:80"}, false},
		{"server.example", "http://a.wild.example", listed, false},
		{"server.example", "http://localhost:8000", nil, false},
		{"server.example", "http://127.0.0.1", nil, false},
		{"localhost", "http://192.0.2.1", nil, false},
		{"192.0.2.2", "http://192.0.2.1", nil, false},
		{"server.example", "garbage", nil, false},
		{"server.example", "://", nil, false},
	} {
		r := handshake(func(r *request) {
			r.host = tt.host
			if tt.origin != "" {
				r.fields["Origin"] = []string{tt.origin}
			}
		})
		_, err := (&websocket.Protocol{Origins: tt.origins}).Check(r)
		if (err == nil) != tt.allowed {
			t.Errorf("host %q, origin %q, listed %v: %v", tt.host, tt.origin, tt.origins, err)
		}
		var e *websocket.HandshakeError
		if err != nil && (!errors.As(err, &e) || e.Status != 403) {
			t.Errorf("refused with %v, want 403", err)
		}
	}
	twice := handshake(set("Origin", "https://server.example", "https://evil.example"))
	if _, err := (&websocket.Protocol{}).Check(twice); err == nil {
		t.Error("two origins were allowed")
	}
}

// overTLS is a request of a client that speaks TLS.
type overTLS struct{ websocket.Request }

func (overTLS) Secure() bool { return true }

// TestOriginScheme wants pages of https where the client speaks TLS: any other page of the host could be made by who is
// on the way. Where it does not, a page of https came by way of a proxy.
func TestOriginScheme(t *testing.T) {
	for _, tt := range []struct {
		origin        string
		plain, secure bool
	}{
		{"https://server.example", true, true}, {"https://server.example:8443", true, true},
		{"HTTPS://server.example", true, true}, {"http://server.example", true, false},
		{"http://server.example:443", true, false}, {"HTTP://SERVER.EXAMPLE", true, false},
		{"http://listed.example", true, true}, {"ws://server.example", false, false}, {"", true, true},
	} {
		p := &websocket.Protocol{Origins: []string{"http://listed.example"}}
		r := handshake(func(r *request) {
			if r.host = "server.example"; tt.origin != "" {
				r.fields["Origin"] = []string{tt.origin}
			}
		})
		_, plain := p.Check(r)
		_, secure := p.Check(overTLS{r})
		if (plain == nil) != tt.plain || (secure == nil) != tt.secure {
			t.Errorf("%q: %v; over TLS %v", tt.origin, plain, secure)
		}
	}
}

// TestOriginPort wants pages of the port that they ask for, if that is said: a missing one is that of the page's
// scheme.
func TestOriginPort(t *testing.T) {
	p := &websocket.Protocol{SamePort: true, Origins: []string{"https://server.example:8444"}}
	for _, tt := range []struct {
		host, origin string
		allowed      bool
	}{
		{"server.example", "https://server.example", true}, {"server.example:443", "https://server.example", true},
		{"server.example", "https://server.example:443", true}, {"server.example:80", "http://server.example", true},
		{"server.example:8443", "https://server.example:8443", true},
		{"server.example:8443", "https://server.example", false},
		{"server.example", "https://server.example:8443", false},
		{"server.example", "https://server.example:8444", true},
		{"server.example:80", "https://server.example", false}, {"localhost:1234", "http://127.0.0.1:1234", true},
		{"localhost:1234", "http://localhost:8000", false}, {"[::1]:1234", "http://[::1]:1234", true},
	} {
		_, err := p.Check(handshake(func(r *request) {
			r.host, r.fields["Origin"] = tt.host, []string{tt.origin}
		}))
		if (err == nil) != tt.allowed {
			t.Errorf("host %q, origin %q: %v", tt.host, tt.origin, err)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	p := &websocket.Protocol{Subprotocols: []string{"best", "good"}}
	for offered, want := range map[string]string{
		"good": "good", "good, best": "best", "other,good": "good", "other": "", "BEST": "", "": "", "best ,": "best",
	} {
		a, err := p.Check(handshake(set("Sec-WebSocket-Protocol", offered)))
		if err != nil || a.Subprotocol != want {
			t.Errorf("offered %q: %q, %v, want %q", offered, a.Subprotocol, err, want)
		}
		answer := string(websocket.AppendAccept([]byte("before"), a))
		if !strings.HasPrefix(answer, "beforeHTTP/1.1 101 ") {
			t.Errorf("the answer is %q", answer)
		}
		if (want != "") != strings.Contains(answer, "\r\nSec-WebSocket-Protocol: ") ||
			want != "" && !strings.HasSuffix(answer, ": "+want+"\r\n\r\n") {
			t.Errorf("offered %q: the answer is %q", offered, answer)
		}
	}
	twice := handshake(set("Sec-WebSocket-Protocol", "good", "best"))
	if a, err := p.Check(twice); err != nil || a.Subprotocol != "best" {
		t.Errorf("offered in two fields: %q, %v", a.Subprotocol, err)
	}
}

// FuzzCheck has whatever a request says either refused with a status and a reason, or accepted as the rules allow, with
// an answer that nothing of the request can add a line to.
func FuzzCheck(f *testing.F) {
	f.Add("GET", "server.example", "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ==",
		"https://server.example", "good")
	f.Add("GET", "[::1]:1", "h2c, WebSocket", "keep-alive, upgrade", "13", "AAAAAAAAAAAAAAAAAAAAAA==",
		"http://localhost:2", "x,\tgood")
	f.Add("POST", "", "", "", "8", "", "null", "")
	f.Add("GET", "a", "websocket", "Upgrade", "13", "dGhlIHNhbXBsZSBub25jZQ==", "https://[", ",,")
	p := &websocket.Protocol{Origins: []string{"https://*.example"}, Subprotocols: []string{"good"}}
	f.Fuzz(func(t *testing.T, method, host, upgrade, connection, version, key, origin, subprotocol string) {
		r := request{method: method, host: host, fields: map[string][]string{
			"Upgrade": {upgrade}, "Connection": {connection}, "Sec-WebSocket-Version": {version},
			"Sec-WebSocket-Key": {key}, "Origin": {origin}, "Sec-WebSocket-Protocol": {subprotocol},
		}}
		a, err := p.Check(r)
		var e *websocket.HandshakeError
		if err != nil {
			if !errors.As(err, &e) || !slices.Contains([]int{400, 403, 405, 426}, e.Status) || e.Reason == "" {
				t.Errorf("refused with %#v", err)
			}
			return
		}
		nonce, err := base64.StdEncoding.DecodeString(key)
		if method != "GET" || host == "" || version != "13" || err != nil || len(nonce) != 16 || len(key) != 24 ||
			!strings.Contains(strings.ToLower(upgrade), "websocket") ||
			!strings.Contains(strings.ToLower(connection), "upgrade") {
			t.Errorf("accepted %+v", r)
		}
		lines := 4
		if a.Subprotocol == "good" && strings.Contains(subprotocol, "good") {
			lines = 5
		}
		if answer := string(websocket.AppendAccept(nil, a)); strings.Count(answer, "\r\n") != lines+1 {
			t.Errorf("the answer is %q", answer)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	r, p := handshake(nil), &websocket.Protocol{}
	b.ReportAllocs()
	for range b.N {
		if _, err := p.Check(r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMoreOrigins has a request allow origins that others do not.
func TestMoreOrigins(t *testing.T) {
	p := &websocket.Protocol{Origins: []string{"https://good.example"}}
	p.MoreOrigins = func(r websocket.Request) []string {
		if string(r.Host()) == "open.example" {
			return []string{"*"}
		}
		return []string{"https://more.example"}
	}
	for _, tt := range []struct {
		host, origin string
		allowed      bool
	}{
		{"server.example", "https://good.example", true}, {"server.example", "https://more.example", true},
		{"server.example", "https://other.example", false}, {"open.example", "https://other.example", true},
	} {
		r := handshake(func(r *request) { r.host, r.fields["Origin"] = tt.host, []string{tt.origin} })
		if _, err := p.Check(r); (err == nil) != tt.allowed {
			t.Errorf("%s at %s: %v", tt.origin, tt.host, err)
		}
	}
}
