package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

const nodesSettings = `
namespaces:
  chat: {subscribe: all, publish: all, publish_rate: 0, history: {size: 100000, ttl: 1h}, presence: events}
limits: {messages_per_connection: 0, logins_per_uid: 1000}
events: {messages: back end}
`

// nodesUnderLoad are nodes over Redis to which pages and back ends have connections, while they are reloaded.
type nodesUnderLoad struct {
	*crossings
	nodes []*mortal
	apis  []string
	ear   *hearer
	pages int // that there are

	starts   []func()   // have a page be read
	speakers []speakers // of each node
	saying   []*publisher
	last     map[string]map[string]int // what pages of a name have to get: the last of each publisher to a target
	sent     map[string]*publisher     // by target and name
}

// TestNodesHandover reloads nodes over one Redis in turn, while pages of level 0 and 1 and streams of events are on
// each, back ends publish over each to uids, groups, channels with history, everybody, and several of these, pages
// publish, say something and ask, and a listener hears of the pages of all. No connection ends, nothing is lost,
// doubled or out of order, each publication has reached everybody when it is answered, nobody is seen to come or go,
// and each event comes once.
func TestNodesHandover(t *testing.T) {
	rounds, pages := 2, 2
	if told["LINEMAN_E2E_LONG"] != "" {
		rounds, pages = 10, 20
	}
	for name, flags := range map[string][][]string{
		"three nodes": {nil, nil, nil}, "two processes": {{"--count", "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			l := &nodesUnderLoad{
				crossings: &crossings{t: t}, last: map[string]map[string]int{}, sent: map[string]*publisher{},
			}
			for _, more := range flags {
				api := free(t)
				flags := append([]string{"--redis-addresses", r.addr, "--api", api}, more...)
				l.nodes, l.apis = append(l.nodes, newMortalOf(t, nodesSettings, flags...)), append(l.apis, api)
			}
			l.test(rounds, pages)
		})
	}
}

// test reloads each node so often.
func (l *nodesUnderLoad) test(rounds, pages int) {
	t := l.t
	l.await(func() bool {
		return strings.Count(l.ask(0, `{"cmd":"nodes"}`), `":`) == max(2, len(l.nodes))+2 // each, and two more fields
	}, "not all nodes are there")
	l.listenFirst()
	for i := range l.nodes {
		l.come(i, pages)
	}
	l.await(func() bool { return strings.Contains(l.ask(0, `{"cmd":"count","to":"*"}`), l.counts("*", l.pages)) },
		"not all pages are there")
	for i, m := range l.nodes {
		l.server = m
		if got := l.ask(i, `{"cmd":"join","to":"u:plain","group":"room"}`); !strings.HasPrefix(got, `{"ok":true`) {
			t.Fatalf("join: %s", got)
		}
	}
	questions := []string{
		`{"cmd":"count","to":["*","u:plain","u:live0","chat:1","chat:2","g:room"]}`,
		`{"cmd":"presence","to":"chat:1"}`, `{"cmd":"list","to":"g:room"}`, `{"cmd":"nodes"}`,
	}
	for i := range l.nodes { // these came last
		l.await(func() bool { return l.ear.knows(fmt.Sprint("asks", i)) }, "it does not hear that pages come")
	}
	heard := l.ear.connect.Load() // not of all: some came before their node knew that somebody listens
	before := l.states(questions)
	for _, start := range l.starts {
		start()
	}
	stop := make(chan struct{})
	for i := range l.nodes {
		l.publishTo(i, pages, stop)
	}
	for range rounds {
		for _, m := range l.nodes {
			l.progress(int64(100 * len(l.nodes)))
			l.server = m
			l.reload()
		}
	}
	l.progress(int64(100 * len(l.nodes)))
	close(stop)
	l.await(func() bool {
		l.ear.acknowledge(0)
		return l.publishing.Load() == 0
	}, "the publishers do not end")
	l.await(func() bool { return l.ear.hasAll(l.saying) || l.hasComplaints() }, "not all was heard")
	l.finish(l.wanted())
	if again := l.ear.connect.Load(); again != heard {
		t.Errorf("%d pages have come, and nothing has happened to any", again-heard)
	}
	after := l.states(questions)
	for i, q := range questions {
		if after[i] != before[i] {
			t.Errorf("%s is answered %s, and was %s", q, after[i], before[i])
		}
	}
}

func (l *nodesUnderLoad) await(is func() bool, what string) {
	l.t.Helper()
	linemantest.Until(l.t, what, is)
}

// ask asks a node.
func (l *nodesUnderLoad) ask(node int, line string) string {
	l.t.Helper()
	answer, err := askLine(l.nodes[node].backend, line)
	if err != nil {
		l.t.Fatal(err)
	}
	return answer
}

func (l *nodesUnderLoad) counts(of string, n int) string { return fmt.Sprintf("%q:%d}", of, n) }

// states are the answers to questions, of all nodes the same.
func (l *nodesUnderLoad) states(questions []string) (all []string) {
	for _, q := range questions {
		first := l.ask(0, q)
		for i := range l.nodes {
			if again := l.ask(i, q); again != first {
				l.t.Errorf("node %d answers %s to %s, and the first one %s", i, again, q, first)
			}
		}
		all = append(all, first)
	}
	return all
}

// listenFirst begins to listen at the first node, and waits until all of them tell of their pages.
func (l *nodesUnderLoad) listenFirst() {
	l.server = l.nodes[0]
	c := l.dial(l.server.backend)
	l.ear = &hearer{crossings: l.crossings, conn: c, pages: 1 << 20, heard: map[string]int{}}
	fmt.Fprintln(c, `{"cmd":"listen","events":["connect","message","close","join","leave","occupied","vacated","rpc"]}`)
	go l.ear.listen()
	l.await(l.ear.listens.Load, "it does not listen")
	for i, m := range l.nodes {
		l.server = m
		before, opened := l.ear.connect.Load(), time.Time{}
		l.await(func() bool {
			if heard := l.ear.connect.Load() > before; heard || time.Since(opened) < 50*time.Millisecond {
				return heard
			}
			opened = time.Now()
			l.add("probe", texts(l.plain(fmt.Sprint("probe", i))))
			return false
		}, "it does not hear of a node")
	}
}

// add has a page be read when all are there.
func (l *nodesUnderLoad) add(name string, next func() ([]byte, error)) {
	l.pages++
	l.starts = append(l.starts, func() { l.listen(name, next) })
}

// come adds pages to a node, and those that are about to speak there.
func (l *nodesUnderLoad) come(node, each int) {
	l.server = l.nodes[node]
	for i := range each {
		l.add("plain", texts(l.plain("plain")))
		l.add("live", l.positions(texts(l.live(fmt.Sprint("live", i%5), "chat:1", "chat:2"))))
		l.add("stream", l.stream(fmt.Sprint("stream", node), "chat:1"))
	}
	watcher := l.watcher("u:plain")
	l.starts = append(l.starts, func() { l.listen("watcher", watcher) })
	l.speakers = append(l.speakers, speakers{
		talker: l.live(fmt.Sprint("talker", node), "chat:2"), plain: l.plain(fmt.Sprint("tells", node)),
		says: l.live(fmt.Sprint("says", node)), asks: l.live(fmt.Sprint("asks", node)),
	})
	l.pages += 4
}

// positions has a page of level 1 complain about positions that do not follow on each other.
func (l *nodesUnderLoad) positions(next func() ([]byte, error)) func() ([]byte, error) {
	last := map[string]int64{}
	return func() ([]byte, error) {
		text, err := next()
		var f struct{ Op, Ch, Pos string }
		if err != nil || json.Unmarshal(text, &f) != nil || f.Op != "msg" || f.Pos == "" {
			return text, err
		}
		_, offset, _ := strings.Cut(f.Pos, ".")
		n, err := strconv.ParseInt(offset, 36, 64)
		if before := last[f.Ch]; err != nil || before != 0 && n != before+1 {
			l.complain("behind position %d of %s came %s", before, f.Ch, f.Pos)
		}
		last[f.Ch] = n
		return text, nil
	}
}

// publishTo has all that publishes be at work at a node.
func (l *nodesUnderLoad) publishTo(node, each int, stop <-chan struct{}) {
	l.server = l.nodes[node]
	plain, live := each*len(l.nodes), each*len(l.nodes)
	streams, talkers := each*len(l.nodes), len(l.nodes)
	for _, c := range []struct {
		name, to string
		n        int
		of       map[string][]string
	}{
		{"channel", `"chat:1"`, live + streams, map[string][]string{"live": {"chat:1"}, "stream": {"chat:1"}}},
		{"group", `"g:room"`, plain, map[string][]string{"plain": {"plain"}}},
		{"all", `"*"`, l.pages, map[string][]string{
			"plain": {"plain"}, "live": {"*"}, "stream": {"*"}, "probe": {"probe"}, "watcher": nil,
		}},
		{"several", `["chat:1","g:room","u:plain"]`, plain + live + streams, map[string][]string{
			"plain": {"plain"}, "live": {"chat:1"}, "stream": {"chat:1"},
		}},
	} {
		name := fmt.Sprint(c.name, node)
		l.publish(&publisher{
			name: name, conn: l.dial(l.server.backend), ahead: 3,
			answered: hasReached(c.n, strings.Contains(c.to, "chat:1")),
			request: func(n int) string {
				return fmt.Sprintf(`{"cmd":"pub","to":%s,"data":{"n":%d,"from":%q}}`+"\n", c.to, n, name)
			},
		}, stop, c.of)
	}
	lines := fmt.Sprint("lines", node)
	l.publish(&publisher{
		name: lines, conn: l.dial(l.server.backend), ahead: 20, answered: wantLine,
		request: func(n int) string { return fmt.Sprintf(`{"uid":"plain","n":%d,"from":%q}`+"\n", n, lines) },
	}, stop, map[string][]string{"plain": {"plain"}, "watcher": {"watcher"}})
	api, byHTTP := l.apis[node], fmt.Sprint("http", node)
	l.publish(&publisher{
		name: byHTTP, conn: l.dial(api), ahead: 2, answered: reachedByHTTP(live + talkers),
		request: func(n int) string {
			body := fmt.Sprintf(`{"to":"chat:2","data":{"n":%d,"from":%q}}`, n, byHTTP)
			return fmt.Sprintf("POST /v1/pub HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
				"Content-Length: %d\r\n\r\n%s", api, len(body), body)
		},
	}, stop, map[string][]string{"live": {"chat:2"}})
	l.speak(node, stop)
}

// speakers are pages of a node that publish, say something, or ask.
type speakers struct{ talker, plain, says, asks readWriter }

// speak has them be at work.
func (l *nodesUnderLoad) speak(node int, stop <-chan struct{}) {
	s := l.speakers[node]
	from := fmt.Sprint("page", node)
	l.publish(&publisher{
		name: from, conn: talking{s.talker}, ahead: 3, answered: wantPublished(s.talker),
		request: func(n int) string {
			return fmt.Sprintf(`{"op":"pub","id":%d,"ch":"chat:2","data":{"n":%[1]d,"from":%q}}`, n, from)
		},
	}, stop, map[string][]string{"live": {"chat:2"}})
	tells := fmt.Sprint("tells", node)
	l.listen(tells, texts(s.plain))
	for _, p := range []*publisher{
		{name: tells, conn: talking{s.plain}, ahead: 2, answered: func(*bufio.Reader) error { return nil },
			request: func(n int) string { return strconv.Itoa(n) }},
		{name: fmt.Sprint("says", node), conn: talking{s.says}, ahead: 4, answered: wantReply(s.says),
			request: func(n int) string { return fmt.Sprintf(`{"op":"say","id":%d,"data":{"n":%[1]d}}`, n) }},
		{name: fmt.Sprint("asks", node), conn: talking{s.asks}, ahead: 4, answered: wantReply(s.asks), asks: true,
			request: func(n int) string {
				return fmt.Sprintf(`{"op":"rpc","id":%d,"method":"echo","data":{"n":%[1]d}}`, n)
			}},
	} {
		l.saying = append(l.saying, l.publish(p, stop, nil))
	}
}

// publish has a publisher of a node live. of are pages by name, and the targets of which they get what it publishes.
func (l *nodesUnderLoad) publish(p *publisher, stop <-chan struct{}, of map[string][]string) *publisher {
	for name, targets := range of {
		for _, target := range targets {
			l.sent[target+" "+p.name] = p
			if l.last[name] == nil {
				l.last[name] = map[string]int{}
			}
			l.last[name][target+" "+p.name] = 0
		}
	}
	return l.crossings.publish(p, stop)
}

// wanted are the last numbers that pages have to get.
func (l *nodesUnderLoad) wanted() map[string]map[string]int {
	for _, of := range l.last {
		for key := range of {
			of[key] = l.sent[key].last
		}
	}
	return l.last
}

// hasReached reads the answer to a command that has reached so many. followed is whether its target is followed: now
// and then a node compares where followers stand with the history, and what comes meanwhile it hands on when it has,
// uncounted.
func hasReached(n int, followed bool) func(*bufio.Reader) error {
	return func(r *bufio.Reader) error {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return err
		}
		return wantReached(line, n, followed)
	}
}

func wantReached(text []byte, n int, followed bool) error {
	var a reply
	if err := json.Unmarshal(text, &a); err != nil || !a.OK || a.Incomplete || a.N == nil ||
		*a.N != n && (!followed || *a.N > n) {
		return fmt.Errorf("the answer is %.200s, want that it has reached %d", text, n)
	}
	return nil
}

// reachedByHTTP is that for a request of the HTTP API.
func reachedByHTTP(n int) func(*bufio.Reader) error {
	return func(r *bufio.Reader) error {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		text := make([]byte, max(answer.ContentLength, 0))
		if _, err := io.ReadFull(answer.Body, text); err != nil {
			return err
		}
		if answer.StatusCode != http.StatusOK || answer.Close {
			return fmt.Errorf("the answer is %s %.200s", answer.Status, text)
		}
		return wantReached(text, n, true)
	}
}
