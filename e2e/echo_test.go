package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// startEcho runs examples/echo on a free port and returns its address.
func startEcho(t *testing.T, scheme string) (*program, string) {
	t.Helper()
	p := start(t, "echo", "-addr", scheme+"://127.0.0.1:0")
	return p, p.find(` on (\S+)\n`)[0]
}

// TestEchoStreams sends bytes by nc to what echoes bytes, lines and frames.
func TestEchoStreams(t *testing.T) {
	for scheme, exchange := range map[string][2]string{
		"tcp":   {"any\x00bytes", "any\x00bytes"},
		"text":  {"one\r\ntwo\n\nno end", "one\ntwo\n\n"},
		"frame": {"\x00\x00\x00\x07abc\x00\x00\x00\x04\x00\x00\x00\x05", "\x00\x00\x00\x07abc\x00\x00\x00\x04"},
	} {
		t.Run(scheme, func(t *testing.T) {
			p, addr := startEcho(t, scheme)
			host, port, _ := net.SplitHostPort(addr)
			if got := output(t, exchange[0], "nc", "-N", host, port); got != exchange[1] {
				t.Errorf("%q came back as %q", exchange[0], got)
			}
			if code := p.stop(); code != 0 {
				t.Errorf("SIGTERM: exit code %d", code)
			}
		})
	}
}

// TestEchoFlags has examples/echo compress, over TLS, where its flags say so.
func TestEchoFlags(t *testing.T) {
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	for compresses, flags := range map[bool][]string{true: {"-compression"}, false: nil} {
		flags = append(flags, "-addr", "websocket://127.0.0.1:0", "-cert", cert, "-key", key)
		addr := start(t, "echo", flags...).find(` on (\S+)\n`)[0]
		d := ws.Dialer{
			TLSConfig: &tls.Config{InsecureSkipVerify: true}, Timeout: patience,
			Extensions: []httphead.Option{wsflate.Parameters{}.Option()},
		}
		c, _, h, err := d.Dial(t.Context(), "wss://"+addr+"/")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if len(h.Extensions) > 0 != compresses {
			t.Errorf("%v: agreed on %v", flags, h.Extensions)
		}
	}
}

func TestEchoUDP(t *testing.T) {
	_, addr := startEcho(t, "udp")
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "", strings.Repeat("x", 60<<10)} {
		if _, err := c.Write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 64<<10)
		if n, err := c.Read(got); err != nil || string(got[:n]) != want {
			t.Errorf("%.10q: %d bytes, %v", want, n, err)
		}
	}
}

// TestEchoUnix has a socket that a killed process left replaced, and a live one refused.
func TestEchoUnix(t *testing.T) {
	path := t.TempDir() + "/echo.sock"
	first := start(t, "echo", "-addr", "unix://"+path)
	first.find(` on (\S+)\n`)
	if got := output(t, "hello", "nc", "-N", "-U", path); got != "hello" {
		t.Errorf("the echo is %q", got)
	}
	second := start(t, "echo", "-addr", "unix://"+path)
	if code, said := second.end(), second.said(); code != 1 || !strings.Contains(said, "in use") {
		t.Errorf("a second server: exit code %d, %q", code, said)
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.end()
	third := start(t, "echo", "-addr", "unix://"+path)
	third.find(` on (\S+)\n`)
	if got := output(t, "hello", "nc", "-N", "-U", path); got != "hello" {
		t.Errorf("after a kill the echo is %q", got)
	}
	if code := third.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is left")
	}
}

// TestEchoHTTP uses curl.
func TestEchoHTTP(t *testing.T) {
	_, addr := startEcho(t, "http")
	url := "http://" + addr + "/"
	big := strings.Repeat("0123456789", 200_000)
	for name, test := range map[string]struct {
		input string
		args  []string
		want  string
	}{
		"GET":  {"", []string{url}, ""},
		"POST": {"", []string{"-d", "hello", url}, "hello"},
		"PUT": {"hello",
			[]string{"-T", "-", "-H", "Transfer-Encoding:", "-H", "Content-Length: 5", url}, "hello"},
		"chunked":    {big, []string{"-H", "Transfer-Encoding: chunked", "--data-binary", "@-", url}, big},
		"Expect":     {big, []string{"-H", "Expect: 100-continue", "--data-binary", "@-", url}, big},
		"HTTP/1.0":   {"", []string{"-0", "-d", "hello", url}, "hello"},
		"two on one": {"", []string{"-d", "hello", url, url}, "hellohello"},
		"a long head": {"",
			[]string{"-o", "/dev/null", "-w", "%{http_code}", "-H", "X: " + strings.Repeat("x", 100_000), url}, "431"},
		"HEAD": {"", []string{"-I", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", url}, "200 0"},
		"connections": {"",
			[]string{"-o", "/dev/null", "-o", "/dev/null", "-w", "%{num_connects} ", url, url}, "1 0 "},
		"no such method": {"",
			[]string{"-X", "BR{W", "-o", "/dev/null", "-w", "%{http_code}", url}, "400"},
		"too large a body": {"",
			[]string{"-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Length: 9223372036854775807", "-d",
				"x", url}, "413"},
	} {
		t.Run(name, func(t *testing.T) {
			got := output(t, test.input, "curl", append([]string{"-sS", "-m", "20"}, test.args...)...)
			if got != test.want {
				t.Errorf("%.200q, want %.200q", got, test.want)
			}
		})
	}
}

// TestEchoWebSocket uses a client that others wrote.
func TestEchoWebSocket(t *testing.T) {
	p, addr := startEcho(t, "websocket")
	c := visit(t, addr)
	random := make([]byte, 1<<20)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	for _, want := range []wsutil.Message{
		{OpCode: ws.OpText, Payload: []byte("κόσμε")},
		{OpCode: ws.OpText, Payload: []byte{}},
		{OpCode: ws.OpBinary, Payload: []byte{0xff, 0}},
		{OpCode: ws.OpBinary, Payload: random},
	} {
		if err := wsutil.WriteClientMessage(c, want.OpCode, want.Payload); err != nil {
			t.Fatal(err)
		}
		got, op, err := wsutil.ReadServerData(c)
		if err != nil || op != want.OpCode || !bytes.Equal(got, want.Payload) {
			t.Errorf("%v of %d bytes: %v of %d, %v", want.OpCode, len(want.Payload), op, len(got), err)
		}
	}
	fragments := wsutil.NewWriterSize(c, ws.StateClientSide, ws.OpText, 10)
	if _, err := io.WriteString(fragments, strings.Repeat("in pieces ", 100)); err != nil {
		t.Fatal(err)
	}
	if err := wsutil.WriteClientMessage(c, ws.OpPing, []byte("between")); err != nil {
		t.Fatal(err)
	}
	if err := fragments.Flush(); err != nil {
		t.Fatal(err)
	}
	if pong, err := ws.ReadFrame(c); err != nil || pong.Header.OpCode != ws.OpPong ||
		string(pong.Payload) != "between" {
		t.Errorf("the pong is %v, %v", pong, err)
	}
	if got, err := wsutil.ReadServerText(c); err != nil || string(got) != strings.Repeat("in pieces ", 100) {
		t.Errorf("fragments: %.40q, %v", got, err)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	_, err := wsutil.ReadServerText(c)
	if closed, ok := err.(wsutil.ClosedError); !ok || closed.Code != ws.StatusGoingAway {
		t.Errorf("SIGTERM: %v", err)
	}
}

// TestEchoBrowser has text and binary come back as what they were, to a page.
func TestEchoBrowser(t *testing.T) {
	_, addr := startEcho(t, "websocket")
	file := t.TempDir() + "/empty.html"
	write(t, file, "<!doctype html>")
	page := open(t, browser(t), "file://"+file)
	eval[bool](page, `(() => {
		window.got = []
		window.ws = new WebSocket("ws://`+addr+`/?any=query")
		ws.binaryType = "arraybuffer"
		ws.onmessage = e => {
			got.push(typeof e.data === "string" ? e.data : "bytes " + new Uint8Array(e.data))
			if (got.length === 3) ws.close(4000, "enough")
		}
		ws.onclose = e => got.push("closed " + e.code + " " + e.wasClean)
		ws.onopen = () => {
			ws.send("κόσμε 🙂")
			ws.send(new Uint8Array([0, 255, 128]))
			ws.send("x".repeat(100000))
		}
		return true
	})()`)
	want := []string{"κόσμε 🙂", "bytes 0,255,128", strings.Repeat("x", 100000), "closed 4000 true"}
	var got []string
	linemantest.Until(t, "the page does not get its messages", func() bool {
		got = eval[[]string](page, "got")
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		t.Errorf("the page got %.200q", got)
	}
}
