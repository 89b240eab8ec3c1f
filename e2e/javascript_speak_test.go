package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// heard is an event of what a page says.
type heard struct {
	Type, UID, Method, Call string
	Data                    json.RawMessage
	Again                   bool
	N                       uint64
}

// ear is a back end that listens to what pages say.
type ear struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func newEar(t *testing.T, backend string) *ear {
	t.Helper()
	conn, err := net.DialTimeout("tcp", backend, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * patience)); err != nil {
		t.Fatal(err)
	}
	e := &ear{t: t, conn: conn, in: bufio.NewReader(conn)}
	e.command(`{"cmd":"listen","events":["message","rpc"]}`)
	if line := e.line(); !strings.Contains(line, `"ok":true`) {
		t.Fatalf("the answer to listen is %s", line)
	}
	return e
}

func (e *ear) command(format string, args ...any) {
	e.t.Helper()
	if _, err := fmt.Fprintf(e.conn, format+"\n", args...); err != nil {
		e.t.Fatal(err)
	}
}

func (e *ear) line() string {
	e.t.Helper()
	line, err := e.in.ReadString('\n')
	if err != nil {
		e.t.Fatalf("a listener: %v", err)
	}
	return line
}

// hears wants the next events to be of this uid, each written as its type, its method or data, and again where it is
// marked. It returns the last one.
func (e *ear) hears(uid string, want ...string) (last heard) {
	e.t.Helper()
	for _, want := range want {
		for last = (heard{}); last.Type == ""; { // an answer
			if err := json.Unmarshal([]byte(e.line()), &last); err != nil {
				e.t.Fatal(err)
			}
		}
		got := strings.TrimSpace(last.Type + " " + last.Method + string(last.Data))
		if last.Again {
			got += " again"
		}
		if got != want || last.UID != uid {
			e.t.Fatalf("the back end has heard %q of %s, want %q of %s", got, last.UID, want, uid)
		}
	}
	return last
}

// speakSettings have one namespace where pages publish.
const speakSettings = `
namespaces:
  chat: {subscribe: all, publish: all, history: {size: 100, ttl: 1h}}
  news: {subscribe: all}
`

// speaks has the page note what comes of what it says.
func (p *livePage) speaks() {
	p.t.Helper()
	eval[string](p.tab, `var outcomes = []
		const note = (name, answer) => answer.then(
			value => outcomes.push(name + " " + JSON.stringify(value?.op ? value.pos && "at" : value)),
			error => outcomes.push(name + " " + error.code)); ""`)
}

// says has the page say something, as JavaScript.
func (p *livePage) says(format string, args ...any) {
	p.t.Helper()
	eval[string](p.tab, fmt.Sprintf(format, args...)+`; ""`)
}

// outcomes wants this to have come of what the page has said since it was asked last, in any order.
func (p *livePage) outcomes(want ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf("outcomes.length >= %d", len(want)))
	got := eval[[]string](p.tab, "outcomes.splice(0)")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.t.Errorf("of what the page has said came %q, want %q", got, want)
	}
}

// TestScriptSpeaks has pages publish, say something to a back end and ask it, over a connection of their own and over
// one of two tabs, while it is cut and the server is killed.
func TestScriptSpeaks(t *testing.T) {
	t.Parallel()
	first := &tab{t: t, ctx: browser(t)}
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%t", shared), func(t *testing.T) {
			m := newMortalOf(t, speakSettings)
			c := newCable(t, m.pages)
			back := newEar(t, m.backend)
			options := fmt.Sprintf(`{ token: "ann", shared: %t }`, shared)
			other := newLivePage(t, first, c, m.backend, "chat:1", options) // which has the connection, if it is shared
			page := newLivePage(t, first, c, m.backend, "chat:1", options)
			page.speaks()
			pageSpeaks(other, page, back)
			pageIsCut(page, c, back)

			m.kill()
			back = newEar(t, m.backend)
			page.says(`
				async function say(data) { // as in docs/javascript.md
					for (;;) {
						try {
							return await line.say(data)
						} catch (error) {
							if (error.code !== 503) throw error
							await new Promise(later => setTimeout(later, 100))
						}
					}
				}
				note("say", say(7))`)
			back.command(`{"cmd":"ack","n":%d}`, back.hears("ann", "message 7").N)
			page.outcomes("say undefined")
			other.close()
			page.close()
		})
	}
}

// pageSpeaks has the page say all that it can, and the other one, and the back end, get it.
func pageSpeaks(other, page *livePage, back *ear) {
	page.t.Helper()
	page.says(`note("pub", line.publish("chat:1", 1, { self: true })); note("news", line.publish("news:1", 2))`)
	page.outcomes(`pub "at"`, "news 403")
	for _, p := range []*livePage{other, page} {
		p.published = 1
		p.hasAll()
	}
	page.says(`note("say", line.say({ move: "e2e4" })); note("rpc", line.rpc("cart.add", { article: 12 }))`)
	asked := back.hears("ann", `message {"move":"e2e4"}`, `rpc cart.add{"article":12}`)
	if got := eval[int](page.tab, "outcomes.length"); got != 0 {
		page.t.Errorf("%d promises are settled before the back end has acknowledged anything", got)
	}
	back.command(`{"cmd":"reply","call":%q,"data":{"articles":3}}`, asked.Call)
	back.command(`{"cmd":"ack","n":%d}`, asked.N)
	page.outcomes("say undefined", `rpc {"articles":3}`)
	page.says(`note("none", line.rpc("none")); note("slow", line.rpc("slow", 1, { timeout: 100 }))`)
	asked = back.hears("ann", "rpc none")
	back.command(`{"cmd":"reply","call":%q,"error":"no such thing","code":404}`, asked.Call)
	back.command(`{"cmd":"ack","n":%d}`, back.hears("ann", "rpc slow1").N)
	page.outcomes("none 404", "slow 504")
}

// pageIsCut cuts the connection of the page while what it has said is not answered.
func pageIsCut(page *livePage, c *cable, back *ear) {
	page.t.Helper()
	page.says(`note("a", line.say("a")); note("rpc", line.rpc("long")); note("b", line.say("b"))`)
	back.hears("ann", `message "a"`, `rpc long`, `message "b"`)
	c.cut()
	page.outcomes("rpc 504")
	page.says(`note("c", line.say("c")); note("pub", line.publish("chat:1", 2))`)
	said := back.hears("ann", `message "a" again`, `message "b" again`, `message "c"`)
	back.command(`{"cmd":"ack","n":%d}`, said.N)
	page.outcomes("a undefined", "b undefined", "c undefined", `pub "at"`)
	page.published = 2
	page.hasAll()
}

// TestScriptSpeaksByStream has a page that has server-sent events only be told that it cannot speak.
func TestScriptSpeaksByStream(t *testing.T) {
	t.Parallel()
	m := newMortalOf(t, speakSettings)
	c := newCable(t, m.pages)
	c.noWebSockets()
	p := &livePage{tab: open(t, browser(t), "http://"+c.addr+"/"), backend: m.backend, channel: "chat:1"}
	eval[string](p.tab, `Math.random = () => 0.05; ""`) // it waits for a short time only
	p.connect(c, `{ token: "ann", sse: "/sse" }`)
	p.speaks()
	p.says(`note("pub", line.publish("chat:1", 1)); note("say", line.say(2)); note("rpc", line.rpc("three"))`)
	p.outcomes("pub 501", "say 501", "rpc 501")
	p.publish(1)
	p.hasAll()
}
