package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// streamPage is a page in a browser that runs a script of docs/sse.md.
type streamPage struct {
	*tab
	server *mortal
}

// openStream has a browser run a script of docs/sse.md, over a network that can be broken.
func openStream(t *testing.T, script string) (streamPage, *breaker) {
	t.Helper()
	m := newMortal(t, inMemory...)
	network := newBreaker(t, m.pages)
	p := streamPage{open(t, browser(t), "http://"+network.Addr().String()+"/health"), m}
	eval[string](p.tab, `var token = "ann", got = [], loaded = [], fetched = 0
		var show = (ch, what) => got.push(ch + " " + (what.n ?? what)), load = ch => loaded.push(ch)
		var fetch = async () => ({ text: async () => (fetched++, "ann") })
		`+strings.ReplaceAll(script, "const events", "var events")+`; ""`)
	return p, network
}

// online waits until the page gets its channels, or does not.
func (p streamPage) online(n int) {
	p.t.Helper()
	linemantest.Until(p.t, fmt.Sprintf("%d streams do not get the channel", n), func() bool {
		answer, err := askLine(p.server.backend, `{"cmd":"count","to":["u:ann","chat:42"]}`)
		return err == nil && answer == fmt.Sprintf(`{"ok":true,"counts":{"chat:42":%d,"u:ann":%d}}`, n, n)
	})
}

// publish publishes the next of some messages, and notes what the page is to show.
func (p streamPage) publish(want *[]string) {
	p.t.Helper()
	for range 10 {
		line := fmt.Sprintf(`{"cmd":"pub","to":"chat:42","data":{"n":%d}}`, len(*want))
		answer, err := askLine(p.server.backend, line)
		if err != nil || !strings.HasPrefix(answer, `{"ok":true,`) {
			p.t.Fatalf("pub is answered %q, %v", answer, err)
		}
		*want = append(*want, fmt.Sprint("chat:42 ", len(*want)))
	}
}

// shows waits until the page has shown as much as it should, and checks what that is.
func (p streamPage) shows(want []string) {
	p.t.Helper()
	var got []string
	linemantest.Until(p.t, fmt.Sprintf("the page does not show %d messages", len(want)), func() bool {
		got = eval[[]string](p.tab, "got")
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		p.t.Errorf("it shows %q,\nwant %q", got, want)
	}
}

// TestStreamBrowser has a browser take server-sent events, by the first script of docs/sse.md. Its network is cut again
// and again: it comes back by itself, and misses nothing. A server that has lost its memory tells it of a gap. A back
// end that kicks it ends it for good, without a script.
func TestStreamBrowser(t *testing.T) {
	t.Parallel()
	p, network := openStream(t, blocks(t, "../docs/sse.md", "js")[0])
	p.online(1)
	var want []string
	for range 3 {
		p.publish(&want)
		if network.cut() == 0 {
			t.Error("there was nothing to cut")
		}
		p.publish(&want) // it is away
		p.online(1)
	}
	p.shows(want)
	if _, err := askLine(p.server.backend, sentAway); err != nil {
		t.Fatal(err)
	}
	p.publish(&want)
	p.shows(want)
	if got := eval[[]string](p.tab, "loaded"); len(got) > 0 {
		t.Errorf("it was told of gaps in %q", got)
	}

	p.server.kill()
	p.online(1)
	linemantest.Until(t, "the page is not told of a gap", func() bool {
		return slices.Equal(eval[[]string](p.tab, "loaded"), []string{"chat:42"})
	})
	p.publish(&want)
	p.shows(want)

	if _, err := askLine(p.server.backend, `{"cmd":"kick","to":"u:ann"}`); err != nil {
		t.Fatal(err)
	}
	linemantest.Until(t, "the browser does not give up", func() bool {
		return eval[int](p.tab, "events.readyState") == 2
	})
	p.online(0)
}

// TestStreamAnew runs the second script of docs/sse.md, which makes its EventSource anew where a browser gives up: when
// its token has expired, and when what is in front answers that there is no server.
func TestStreamAnew(t *testing.T) {
	t.Parallel()
	script := strings.Replace(blocks(t, "../docs/sse.md", "js")[1], "5000 + Math.random() * 5000", "1", 1)
	p, network := openStream(t, script+"\nlisten()")
	p.online(1)
	var want []string
	p.publish(&want)
	p.shows(want)
	if _, err := askLine(p.server.backend, `{"cmd":"kick","to":"u:ann","code":4200}`); err != nil {
		t.Fatal(err)
	}
	p.publish(&want)
	p.shows(want)
	p.online(1)
	network.refuse.Store(true)
	if network.cut() == 0 {
		t.Error("there was nothing to cut")
	}
	linemantest.Until(t, "the page does not try again", func() bool { return eval[int](p.tab, "fetched") >= 4 })
	p.publish(&want)
	network.refuse.Store(false)
	p.shows(want)
	if got := eval[[]string](p.tab, "loaded"); len(got) > 0 {
		t.Errorf("it was told of gaps in %q", got)
	}
	if _, err := askLine(p.server.backend, `{"cmd":"kick","to":"u:ann","code":4010}`); err != nil {
		t.Fatal(err)
	}
	linemantest.Until(t, "the page does not end", func() bool { return eval[bool](p.tab, "over") })
	p.online(0)
}

// TestStreamPHP publishes by the script of docs/sse.md.
func TestStreamPHP(t *testing.T) {
	need(t, "php")
	p := startLineman(t)
	events := stream(t, http.DefaultClient, "http://"+p.pages+"/sse?token=ann&sub=chat:42")
	events.has(`"op":"sub","ch":"chat:42"`)
	folder := t.TempDir()
	script := strings.Replace(block(t, "../docs/sse.md", "php"), "http://127.0.0.1:6780/v1/", p.api, 1)
	write(t, folder+"/pub.php", script)
	output(t, "", "php", folder+"/pub.php")
	events.has(`"data":{"say":"hello"}`)
}

// TestStreamCurl has a program that knows nothing of events get each as soon as it is there, and HTTP/1.0 too.
func TestStreamCurl(t *testing.T) {
	need(t, "curl")
	p := startLineman(t)
	for _, version := range []string{"--http1.1", "--http1.0"} {
		curl := launch(t, exec.Command("curl", "-sN", "--compressed", version, "http://"+p.pages+"/sse?token=ann"))
		curl.find(`"op":"welcome"`)
		p.known("ann")
		curl.find(`"op":"msg","ch":"u:ann"`)
		if _, err := askLine(p.backends, `{"cmd":"kick","to":"u:ann"}`); err != nil {
			t.Fatal(err)
		}
		if code := curl.end(); code != 0 {
			t.Errorf("%s: curl ends with %d: %s", version, code, curl.said())
		}
	}
}

// events are those of a stream.
type events struct {
	t    *testing.T
	body *bufio.Reader
	end  func() error
}

// stream opens one.
func stream(t *testing.T, client *http.Client, url string) events {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Accept-Encoding", "gzip, br")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" ||
		answer.Header.Get("Content-Encoding") != "" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	return events{t, bufio.NewReader(answer.Body), answer.Body.Close}
}

// has reads lines until one has a text.
func (e events) has(text string) {
	e.t.Helper()
	late := time.AfterFunc(patience, func() { _ = e.end() })
	defer late.Stop()
	for {
		line, err := e.body.ReadBytes('\n')
		if err != nil {
			e.t.Fatalf("before %s: %v", text, err)
		}
		if bytes.Contains(line, []byte(text)) {
			return
		}
	}
}

// streamThrough has a stream come through a proxy, event by event, and stay when nothing happens for longer than the
// proxy waits.
func (p push) streamThrough(client *http.Client, front string) {
	p.t.Helper()
	patient := &http.Client{Transport: client.Transport}
	e := stream(p.t, patient, "https://localhost:"+portOf(front)+"/sse?token=listener")
	e.has(`"op":"welcome"`)
	p.known("listener")
	e.has(`"ch":"u:listener"`)
	for range 8 { // a comment a second, and an empty line
		e.has("\n")
	}
	p.known("listener")
	e.has(`"ch":"u:listener"`)
}
