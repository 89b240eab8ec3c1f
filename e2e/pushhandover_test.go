package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

const crossingSettings = `
namespaces:
  chat: {subscribe: all, publish: all, publish_rate: 0, history: {size: 10000, ttl: 1h}, presence: events}
limits: {messages_per_connection: 0}
`

// TestPushHandover reloads the push server three times in a row, while pages of level 0 and 1 and streams of events are
// there, back ends and a page publish, and somebody watches. No connection ends, nothing is lost, doubled or out of
// order, nobody is seen to come or go, and all is as it was.
func TestPushHandover(t *testing.T) {
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	for name, flags := range map[string][]string{
		"in memory": inMemory, "on three loops": append([]string{"--loops", "3"}, inMemory...), "with a journal": nil,
		"under TLS": append([]string{"--tls-cert", cert, "--tls-key", key}, inMemory...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := free(t)
			m := newMortalOf(t, crossingSettings, append([]string{"--api", api}, flags...)...)
			testPushHandover(t, &crossings{t: t, server: m, secure: name == "under TLS"}, api, func(int) {})
		})
	}
}

// TestPushHandoverLoops does the same while each reload changes the number of loops.
func TestPushHandoverLoops(t *testing.T) {
	api := free(t)
	settings := func(loops int) string { return crossingSettings + fmt.Sprintf("loops: %d\n", loops) }
	m := newMortalOf(t, settings(3), append([]string{"--api", api}, inMemory...)...)
	testPushHandover(t, &crossings{t: t, server: m}, api, func(reload int) {
		want := []int{3, 1, 2}[reload]
		linemantest.Until(t, fmt.Sprintf("before reload %d there are not %d loops", reload, want), func() bool {
			var s lineman.Status
			if err := json.Unmarshal([]byte(m.command("status", "--json")), &s); err != nil {
				t.Fatal(err)
			}
			last := s.Processes[len(s.Processes)-1] // those that leave come first, if there are any
			hasTold := len(last.Listeners) > 0      // how it is: a busy process may take a second for that
			return hasTold && max(len(last.Loops), 1) == want
		})
		write(t, filepath.Join(m.folder, "lineman.yaml"), settings([]int{1, 2, 3}[reload]))
	})
}

// testPushHandover calls change before each reload.
func testPushHandover(t *testing.T, k *crossings, api string, change func(reload int)) {
	const plain, live, streams = 20, 10, 5
	var pages []func()
	for range plain {
		next := texts(k.plain("plain"))
		pages = append(pages, func() { k.listen("plain", next) })
	}
	for i := range live {
		next := texts(k.live(fmt.Sprint("live", i%5), "chat:1", "chat:2"))
		pages = append(pages, func() { k.listen("live", next) })
	}
	for i := range streams {
		next := k.stream(fmt.Sprint("stream", i), "chat:1")
		pages = append(pages, func() { k.listen("stream", next) })
	}
	watches := k.watcher("u:plain")
	pages = append(pages, func() { k.listen("watcher", watches) })
	stalled, talker := k.plain("stalled"), k.live("talker", "chat:2")
	ask := func(line string) string {
		t.Helper()
		answer, err := askLine(k.server.backend, line)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	linemantest.Until(t, "not all pages have come", func() bool {
		return strings.Contains(ask(`{"cmd":"count","to":"*"}`), fmt.Sprintf(`"*":%d`, plain+live+streams+2))
	})
	for _, line := range []string{
		`{"cmd":"join","to":"u:plain","group":"room"}`, `{"cmd":"session","to":"u:live1","data":{"a":1}}`,
	} {
		if got := ask(line); !strings.HasPrefix(got, `{"ok":true`) {
			t.Fatalf("%s: %s", line, got)
		}
	}
	states := func() (all []string) {
		for _, line := range []string{
			`{"cmd":"count","to":["*","u:plain","u:live0","chat:1","chat:2","g:room"]}`,
			`{"cmd":"presence","to":"chat:1"}`, `{"cmd":"sessions","to":"u:live1"}`, `{"cmd":"list","to":"g:room"}`,
		} {
			all = append(all, ask(line))
		}
		return all
	}
	before := states()
	for _, begin := range pages {
		begin()
	}

	stop := make(chan struct{})
	command := func(to, from string) func(n int) string {
		return func(n int) string {
			return fmt.Sprintf(`{"cmd":"pub","to":%q,"data":{"n":%d,"from":%q}}`+"\n", to, n, from)
		}
	}
	publishers := []*publisher{
		k.publish(&publisher{
			name: "lines", conn: k.dial(k.server.backend), ahead: 20, answered: wantLine,
			request: func(n int) string { return fmt.Sprintf(`{"uid":"plain","n":%d,"from":"lines"}`+"\n", n) },
		}, stop),
		k.publish(&publisher{
			name: "commands", conn: k.dial(k.server.backend), ahead: 5, answered: wantLine,
			request: command("chat:1", "commands"),
		}, stop),
		k.publish(&publisher{
			name: "http", conn: k.dial(api), ahead: 2, answered: wantResponse,
			request: func(n int) string {
				body := fmt.Sprintf(`{"to":"chat:2","data":{"n":%d,"from":"http"}}`, n)
				return fmt.Sprintf("POST /v1/pub HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
					"Content-Length: %d\r\n\r\n%s", api, len(body), body)
			},
		}, stop),
		k.publish(&publisher{
			name: "page", conn: talking{talker}, ahead: 3, answered: wantPublished(talker),
			request: func(n int) string {
				return fmt.Sprintf(`{"op":"pub","id":%d,"ch":"chat:2","data":{"n":%[1]d,"from":"page"}}`, n)
			},
		}, stop),
	}
	const long = 50     // lines for the page that does not read, at a time
	late := k.upgrade() // says later who it is
	for i := range 3 {
		half := k.dial(k.server.pages)
		fmt.Fprintf(half, "GET / HTTP/1.1\r\nHost: %s\r\nUpgr", k.server.pages)
		for n := range long {
			ask(fmt.Sprintf(`{"uid":"stalled","n":%d,"from":"long","text":%q}`, i*long+n+1, strings.Repeat("x", 4000)))
		}
		k.progress(300)
		change(i)
		k.reload()
		fmt.Fprint(half, "ade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if answer, err := bufio.NewReader(half).ReadString('\n'); !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
			t.Errorf("half a handshake is answered %q, %v", answer, err)
		}
		half.Close()
	}
	k.say(late, "late")
	linemantest.Until(t, "who says later who it is does not come", func() bool {
		return ask(`{"cmd":"online","uids":["late"]}`) == `{"ok":true,"online":{"late":true}}`
	})
	late.to.Close()
	linemantest.Until(t, "who came late does not go", func() bool {
		return ask(`{"cmd":"online","uids":["late"]}`) == `{"ok":true,"online":{"late":false}}`
	})
	k.progress(300)
	close(stop)
	k.listen("stalled", texts(stalled))
	linemantest.Until(t, "the publishers do not end", func() bool { return k.publishing.Load() == 0 })
	last := map[string]int{}
	for _, p := range publishers {
		last[p.name] = p.last
	}
	k.finish(map[string]map[string]int{
		"plain": {"plain lines": last["lines"]}, "watcher": {"watcher lines": last["lines"]},
		"stalled": {"stalled long": 3 * long},
		"stream":  {"chat:1 commands": last["commands"]},
		"live":    {"chat:1 commands": last["commands"], "chat:2 http": last["http"], "chat:2 page": last["page"]},
	})
	t.Logf("published: %v", last)
	for i, after := range states() {
		if after != before[i] {
			t.Errorf("after the reloads it is %s, and was %s", after, before[i])
		}
	}
}

// TestPushRelayEnds has pages under TLS be told to come back when the process that has their keys has to end, after a
// reload, and when the server stops.
func TestPushRelayEnds(t *testing.T) {
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	for name, settings := range map[string]string{
		"its time is over": "relay: 1s\ndrain: 100ms\n", "the server stops": "drain: 100ms\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flags := append([]string{"--tls-cert", cert, "--tls-key", key}, inMemory...)
			m := newMortalOf(t, crossingSettings+settings, flags...)
			k := &crossings{t: t, server: m, secure: true}
			ends := make(chan error, 2)
			for _, c := range []readWriter{k.plain("plain"), k.live("live", "chat:1")} {
				go func() {
					var err error
					for err == nil {
						_, err = wsutil.ReadServerText(c)
					}
					ends <- err
				}()
			}
			k.reload()
			if name == "the server stops" {
				m.command("stop")
			}
			for range cap(ends) {
				err := <-ends
				var goodbye wsutil.ClosedError
				if !errors.As(err, &goodbye) || goodbye.Code != 4101 || !strings.Contains(goodbye.Reason, "retry") {
					t.Errorf("it ends with %v", err)
				}
			}
		})
	}
}
