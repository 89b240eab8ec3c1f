package e2e

import (
	"net"
	"slices"
	"testing"
)

// TestChat has two people talk.
func TestChat(t *testing.T) {
	t.Parallel()
	p := start(t, "chat", "-addr", "127.0.0.1:0")
	url := p.find(`open (http://\S+/)`)[0]
	chrome := browser(t)
	ann, bob := open(t, chrome, url), open(t, chrome, url)
	ann.enter("Ann")
	ann.state("You are Ann.")
	ann.messages(1)
	bob.enter("Bob")
	bob.state("You are Bob.")
	ann.messages(2)
	bob.enter("hello, <b>Ann</b>")
	ann.messages(3)
	ann.enter("hello")
	want := []string{"Ann came in", "Bob came in", "Bob: hello, <b>Ann</b>", "Ann: hello"}
	if got := ann.messages(4); !slices.Equal(got, want) {
		t.Errorf("Ann reads %q", got)
	}
	ann.picture("chat")
	bob.close()
	if got := ann.messages(5)[4]; got != "Bob left" {
		t.Errorf("then Ann reads %q", got)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	ann.state("Closed (1001")
}

// TestListen asks both ports of one process.
func TestListen(t *testing.T) {
	p := start(t, "listen", "-text", "127.0.0.1:0", "-http", "127.0.0.1:0")
	said := p.find(`lines on (\S+), HTTP on (\S+)\n`)
	host, port, _ := net.SplitHostPort(said[0])
	if got := output(t, "hi\n", "nc", "-N", host, port); got != "hello\n" {
		t.Errorf("a line: %q", got)
	}
	if got := output(t, "", "curl", "-sS", "http://"+said[1]+"/"); got != "hello" {
		t.Errorf("a request: %q", got)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// TestHTTPAndWebSocket has what curl posts to one port reach the pages on the other.
func TestHTTPAndWebSocket(t *testing.T) {
	t.Parallel()
	p := start(t, "http-and-websocket", "-http", "127.0.0.1:0", "-websocket", "127.0.0.1:0")
	said := p.find(`open (http://\S+) and then\n  curl -d hello (\S+)\n`)
	chrome := browser(t)
	pages := []*tab{open(t, chrome, said[0]), open(t, chrome, said[0])}
	for _, page := range pages {
		page.state("Connected.")
	}
	if got := output(t, "", "curl", "-sS", "-d", "hello", said[1]); got != "sent to 2\n" {
		t.Errorf("the answer is %q", got)
	}
	for _, page := range pages {
		if got := page.messages(1); got[0] != "hello" {
			t.Errorf("a page shows %q", got)
		}
	}
	pages[0].picture("http-and-websocket")
	for want, args := range map[string][]string{
		"405": {said[1]},
		"404": {"http://" + said[1][len("http://"):len(said[1])-len("/push")] + "/nothing"},
	} {
		if got := output(t, "", "curl",
			append([]string{"-sS", "-o", "/dev/null", "-w", "%{http_code}"}, args...)...); got != want {
			t.Errorf("%v: %s", args, got)
		}
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}

// TestCustomProtocol sends objects with nothing between them.
func TestCustomProtocol(t *testing.T) {
	p := start(t, "custom-protocol", "-addr", "127.0.0.1:0")
	host, port, _ := net.SplitHostPort(p.find(` on (\S+)\n`)[0])
	want := `{"bytes":7,"object":{"a":1}}{"bytes":9,"object":{"b":"}"}}`
	if got := output(t, `{"a":1}{"b":"}"}`, "nc", "-N", host, port); got != want {
		t.Errorf("the answer is %q", got)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
}
