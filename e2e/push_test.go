package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// push is the running program examples/push.
type push struct {
	*program
	pages, backends string // host:port
	api             string // URL of the HTTP API; of the server only
}

func startPush(t *testing.T) push {
	t.Helper()
	p := start(t, "push", "-websocket", "127.0.0.1:0", "-text", "127.0.0.1:0")
	said := p.find(`pages on ws://(\S+), back ends on (\S+)\n`)
	return push{program: p, pages: said[0], backends: said[1]}
}

// ask is a back end that sends bytes and ends its side; it returns the answer.
func (p push) ask(bytes string) string {
	p.t.Helper()
	host, port, _ := net.SplitHostPort(p.backends)
	return output(p.t, bytes, "nc", "-N", host, port)
}

// known waits until a uid has a page.
func (p push) known(uid string) {
	p.t.Helper()
	c := dial(p.t, p.backends)
	lines := bufio.NewReader(c)
	linemantest.Until(p.t, uid+" does not become known", func() bool {
		fmt.Fprintf(c, "{\"uid\":%q}\n", uid)
		answer, err := lines.ReadString('\n')
		if err != nil {
			p.t.Fatal(err)
		}
		return answer == "ok\n"
	})
}

// dial connects, until the end of the test.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

// visit opens a WebSocket without a browser.
func visit(t *testing.T, addr string) net.Conn {
	t.Helper()
	c := dial(t, addr)
	if buffered, _, err := (ws.Dialer{}).Upgrade(c, &url.URL{Scheme: "ws", Host: addr, Path: "/"}); err != nil ||
		buffered != nil {
		t.Fatalf("no WebSocket: %v, %v", buffered, err)
	}
	return c
}

// TestPush is the program's main job: pages in a browser, a back end in PHP.
func TestPush(t *testing.T) {
	p := startPush(t)
	chrome := browser(t)
	first := open(t, chrome, "http://"+p.pages+"/")
	second := open(t, chrome, "http://"+p.pages+"/")
	other := open(t, chrome, "http://"+p.pages+"/")
	for tab, uid := range map[*tab]string{first: "uid1", second: "uid1", other: "ユーザー 2"} {
		tab.state("Not connected.")
		tab.enter(uid)
		tab.state("Connected as " + uid + ".")
	}
	answer := output(t, "", "php", "testdata/client.php", p.backends, `{"uid": "uid1", "percent": "88%"}`)
	if answer != "ok\n" {
		t.Errorf("PHP got %q", answer)
	}
	hostile := `{"uid":"uid1","html":"<img src=x onerror=alert(1)>","text":"\u65e5本"}`
	if got := p.ask(hostile + "\n"); got != "ok\n" {
		t.Errorf("answer %q", got)
	}
	if got := p.ask(`{"all":true,"text":"to everyone"}` + "\n"); got != "ok\n" {
		t.Errorf("answer %q", got)
	}
	want := []string{`{"uid": "uid1", "percent": "88%"}`, hostile, `{"all":true,"text":"to everyone"}`}
	for _, tab := range []*tab{first, second} {
		if got := tab.messages(3); !slices.Equal(got, want) {
			t.Errorf("a page of uid1 shows %q", got)
		}
	}
	if got := other.messages(1); !slices.Equal(got, want[2:]) {
		t.Errorf("the other page shows %q", got)
	}
	second.close()
	first.picture("push")
	if got := p.ask(`{"uid":"uid1","tabs":1}` + "\n"); got != "ok\n" {
		t.Errorf("with one tab closed: %q", got)
	}
	first.messages(4)
	if got := p.ask(`{"uid":"nobody"}` + "\n"); got != "fail\n" {
		t.Errorf("an unknown uid: %q", got)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}
	first.state("Closed (1001")
	first.picture("push-closed")
	if len(first.alerts) != 0 {
		t.Error("a message ran as a script")
	}
}

// TestPushLines sends lines as shells and scripts do.
func TestPushLines(t *testing.T) {
	p := startPush(t)
	c := visit(t, p.pages)
	if err := wsutil.WriteClientText(c, []byte("uid1")); err != nil {
		t.Fatal(err)
	}
	p.known("uid1")
	good := `{"uid":"uid1"}`
	for bytes, want := range map[string]string{
		good + "\n":                             "ok\n",
		good + "\r\n":                           "ok\n",
		good:                                    "", // a line that has no end
		good + "\n" + good + "\n{}\n":           "ok\nok\nerror: no \"uid\"\n",
		"\n" + good + "\n" + good:               "error: there is nothing: want a JSON object\nok\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":     "",
		"POST / HTTP/1.1\r\n\r\n" + good + "\n": "",
		strings.Repeat(good+"\n", 1000):         strings.Repeat("ok\n", 1000),
		strings.Repeat("x", 11<<20) + "\n" + good + "\n": "",
	} {
		got := p.ask(bytes)
		if want == "" && len(bytes) > 1<<20 {
			if lines := strings.Split(got, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "error: ") ||
				lines[1] != "ok" {
				t.Errorf("a long line: %.200q", got)
			}
		} else if got != want {
			t.Errorf("%.80q: answer %.200q, want %.200q", bytes, got, want)
		}
	}
	if got := output(t, "", binaries+"/push", "-text", p.backends, "-send", good); got != "ok\n" {
		t.Errorf("-send: %q", got)
	}
}

// TestPushSegments sends one line in three segments.
func TestPushSegments(t *testing.T) {
	p := startPush(t)
	c := dial(t, p.backends)
	for _, part := range []string{`{"uid":`, `"nobody`, "\"}\n"} {
		if _, err := io.WriteString(c, part); err != nil {
			t.Fatal(err)
		}
	}
	if answer, err := bufio.NewReader(c).ReadString('\n'); err != nil || answer != "fail\n" {
		t.Errorf("answer %q, %v", answer, err)
	}
}

// TestPushTaken has the address on one line, and nothing served.
func TestPushTaken(t *testing.T) {
	p := startPush(t)
	for addr, args := range map[string][]string{
		"websocket://" + p.pages: {"-websocket", p.pages, "-text", "127.0.0.1:0"},
		"text://" + p.backends:   {"-websocket", "127.0.0.1:0", "-text", p.backends},
	} {
		second := start(t, "push", args...)
		code, said := second.end(), second.said()
		if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "in use") ||
			!strings.Contains(said, addr) {
			t.Errorf("%s: exit code %d, %q", addr, code, said)
		}
	}
	if _, err := try(t, "", binaries+"/push", "-text", "127.0.0.1:1", "-send", "{}"); err == nil {
		t.Error("-send without a server ends well")
	}
}

// TestPushKilledBrowser kills a browser: its page is forgotten.
func TestPushKilledBrowser(t *testing.T) {
	p := startPush(t)
	chrome := browser(t)
	page := open(t, chrome, "http://"+p.pages+"/")
	page.enter("uid1")
	p.known("uid1")
	if err := chromedp.FromContext(chrome).Browser.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	linemantest.Until(t, "the page of a killed browser is still known", func() bool {
		return p.ask(`{"uid":"uid1"}`+"\n") == "fail\n"
	})
}

// TestPushSlowPage has one page that does not read: it loses what is answered with fail and nothing else, and holds up
// nobody.
func TestPushSlowPage(t *testing.T) {
	p := startPush(t)
	slow, quick := visit(t, p.pages), visit(t, p.pages)
	for uid, c := range map[string]net.Conn{"slow": slow, "quick": quick} {
		if err := wsutil.WriteClientText(c, []byte(uid)); err != nil {
			t.Fatal(err)
		}
		p.known(uid)
	}
	next := func(c net.Conn) string {
		t.Helper()
		for {
			msg, err := wsutil.ReadServerText(c)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(msg, []byte("pad")) { // another one made the uid known
				return string(msg)
			}
		}
	}
	backend := dial(t, p.backends)
	answers := bufio.NewReader(backend)
	send := func(line string) string {
		t.Helper()
		fmt.Fprintf(backend, "%s\n", line)
		answer, err := answers.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	pad := strings.Repeat("x", 8<<10)
	line := func(uid string, n int) string { return fmt.Sprintf(`{"uid":%q,"n":%d,"pad":%q}`, uid, n, pad) }
	accepted := 0
	for ; send(line("slow", accepted)) == "ok\n"; accepted++ {
		if accepted > 8<<10 {
			t.Fatal("64 MiB were accepted for a page that does not read")
		}
		if answer, got := send(line("quick", accepted)), next(quick); answer != "ok\n" ||
			got != line("quick", accepted) {
			t.Fatalf("the quick page: %q, %.40q", answer, got)
		}
	}
	for n := range accepted {
		if got := next(slow); got != line("slow", n) {
			t.Fatalf("message %d is %.40q", n, got)
		}
	}
	linemantest.Until(t, "a page that reads again is not served again", func() bool {
		return send(line("slow", -1)) == "ok\n"
	})
	if got := next(slow); got != line("slow", -1) {
		t.Errorf("after that came %.40q", got)
	}
}

// TestPushFirstFrame has an empty and an over-long uid refused in words.
func TestPushFirstFrame(t *testing.T) {
	p := startPush(t)
	for _, uid := range []string{"", strings.Repeat("u", 256)} {
		c := visit(t, p.pages)
		if err := wsutil.WriteClientText(c, []byte(uid)); err != nil {
			t.Fatal(err)
		}
		_, err := wsutil.ReadServerText(c)
		if closed, ok := err.(wsutil.ClosedError); !ok || closed.Code != 1008 || closed.Reason == "" {
			t.Errorf("a uid of %d bytes: %v", len(uid), err)
		}
	}
}

// TestSeed runs the programs that the project comes from as they are, but for the ports.
func TestSeed(t *testing.T) {
	folder := told["LINEMAN_SEED"]
	if folder == "" {
		t.Skip("LINEMAN_SEED is not set; TestClients does the same")
	}
	p := startPush(t)
	onOurPorts := strings.NewReplacer("127.0.0.1:1234", p.pages, "127.0.0.1:5678", p.backends)
	runClients(t, p, onOurPorts.Replace(read(t, folder+"/client.js")),
		onOurPorts.Replace(read(t, folder+"/client.php")))
}

// TestClients runs this project's own.
func TestClients(t *testing.T) {
	p := startPush(t)
	runClients(t, p, "const address = "+fmt.Sprintf("%q", "ws://"+p.pages)+"\n"+read(t, "testdata/client.js"),
		read(t, "testdata/client.php"))
}

// runClients opens a page with a script from a file, as the one who follows a manual does, and lets PHP push to it.
func runClients(t *testing.T, p push, js, php string) {
	t.Helper()
	folder := t.TempDir()
	write(t, folder+"/page.html", "<!doctype html><script>\n"+js+"</script>")
	write(t, folder+"/client.php", php)
	page := open(t, browser(t), "file://"+folder+"/page.html")
	answer := ""
	linemantest.Until(t, "PHP does not get an ok", func() bool {
		answer = strings.TrimSpace(
			output(t, "", "php", folder+"/client.php", p.backends, `{"uid":"uid1","percent":"88%"}`))
		if answer != "ok" && answer != "fail" {
			t.Fatalf("PHP got %q", answer)
		}
		return answer == "ok"
	})
	select {
	case got := <-page.alerts:
		if got != `{"uid":"uid1","percent":"88%"}` {
			t.Errorf("the page got %q", got)
		}
	case <-time.After(patience):
		t.Error("the page got nothing")
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
