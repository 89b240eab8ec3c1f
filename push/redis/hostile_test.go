package redis_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/redis"
)

// say has the server say something that nobody asked for, over each connection that there is.
func (p *proxy) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 0; i < len(p.conns); i += 2 { // the clients
		_, _ = io.WriteString(p.conns[i], text)
	}
}

// TestStrayReplies has the link break, and be made again, when the server says what no client could bear.
func TestStrayReplies(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProxy(t, s.address())
	log := &journal{}
	a := join(t, "a", redis.Options{Addresses: []string{p.address()}, Log: log.logger()})
	b := join(t, "b", redis.Options{Addresses: []string{s.address()}})
	a.subscribe("x")
	for i, text := range []string{
		"+OK\r\n", "*2000000000\r\n", "$2000000000\r\n", "%-1\r\n", "*-5\r\n", strings.Repeat("*1\r\n", 100_000),
		"HTTP/1.1 400 Bad Request\r\n\r\n", ">3\r\n$9\r\nsubscribe\r\n$1\r\ny\r\n:1\r\n", "*1\r\n>1\r\n+a\r\n",
		"$?\r\n", ".\r\n", "-MOVED\r\n",
	} {
		p.say(text)
		a.until(fmt.Sprintf("%.20q breaks the link, which is up again", text),
			func() bool { return a.downs > i && a.ups == a.downs+1 })
	}
	b.reaches(1, "x")
	if text := log.String(); !strings.Contains(text, "broke the protocol") {
		t.Errorf("the log does not say why:\n%s", text)
	}
	p.say(">2\r\n$9\r\nsomething\r\n$3\r\nnew\r\n")
	b.reaches(1, "x")
}

// liar is a server that answers everything alike.
type liar struct {
	listener net.Listener
	answer   string
	hello    string // the answer to HELLO; empty is as any other
	answered atomic.Int64
	wait     sync.WaitGroup
}

func startLiar(t *testing.T, hello, answer string) *liar {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{listener: listener, hello: hello, answer: answer}
	l.wait.Add(1)
	go l.accept()
	t.Cleanup(func() {
		_ = listener.Close()
		l.wait.Wait()
	})
	return l
}

func (l *liar) accept() {
	defer l.wait.Done()
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.wait.Add(1)
		go func() {
			defer l.wait.Done()
			defer c.Close()
			l.serve(c)
		}()
	}
}

// serve answers each command; a client ends its connections.
func (l *liar) serve(c net.Conn) {
	for lines := bufio.NewReader(c); ; {
		var words, length int
		if _, err := fmt.Fscanf(lines, "*%d\r\n", &words); err != nil {
			return
		}
		answer := l.answer
		for i := range words {
			if _, err := fmt.Fscanf(lines, "$%d\r\n", &length); err != nil {
				return
			}
			word := make([]byte, length+2)
			if _, err := io.ReadFull(lines, word); err != nil {
				return
			}
			if i == 0 && l.hello != "" && string(word) == "HELLO\r\n" {
				answer = l.hello
			}
		}
		l.answered.Add(1)
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// TestLiars lives through whatever a server answers to whatever is asked: alone, as a sentinel, and as one of a
// Cluster.
func TestLiars(t *testing.T) {
	t.Parallel()
	const hello = "%3\r\n$5\r\nproto\r\n:3\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
	old := strings.Replace(hello, "7.0.0", "6.2.0", 1)
	young := strings.Replace(hello, "7.0.0", "8.1.0", 1)
	answers := []string{
		"+OK\r\n", "+QUEUED\r\n", "-ERR no\r\n", "-ERR unknown command 'HELLO'\r\n", "-MOVED\r\n", "-MOVED 1\r\n",
		"-MOVED 1 127.0.0.1:1\r\n", "-ASK 1 x\r\n", "-LOADING x\r\n", "-NOAUTH x\r\n", ":0\r\n", ":-7\r\n",
		":9223372036854775807\r\n", "$-1\r\n", "*-1\r\n", "_\r\n", "#t\r\n", ",inf\r\n", "(1\r\n", "*0\r\n", "%0\r\n",
		"~0\r\n", "*1\r\n*0\r\n", "*2\r\n+a\r\n+b\r\n", "*2\r\n$1\r\n0\r\n*0\r\n", "*2\r\n$0\r\n\r\n:1\r\n",
		"*3\r\n:0\r\n:16383\r\n*0\r\n", "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:1\r\n",
		"*1\r\n*3\r\n:0\r\n:16383\r\n*1\r\n+a\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n",
		"*1\r\n*3\r\n+a\r\n+b\r\n*2\r\n*0\r\n+c\r\n",
		"*1\r\n%2\r\n+slots\r\n*3\r\n:0\r\n:1\r\n:2\r\n+nodes\r\n*1\r\n+x\r\n", "%1\r\n+proto\r\n:3\r\n",
		"%1\r\n:1\r\n:1\r\n", "%1\r\n*0\r\n:1\r\n", "%1\r\n+proto\r\n+abc\r\n", "=5\r\ntxt:x\r\n", "!3\r\nERR\r\n",
		"|1\r\n+a\r\n+b\r\n", ">3\r\n$7\r\nmessage\r\n*0\r\n%0\r\n+OK\r\n",
		">3\r\n$12\r\nsunsubscribe\r\n+a\r\n:0\r\n+OK\r\n", ">3\r\n$10\r\nssubscribe\r\n+a\r\n:1\r\n",
		"*1\r\n>2\r\n+message\r\n+x\r\n+OK\r\n", "?", "+OK\r\n+OK\r\n",
	}
	for name, o := range map[string]redis.Options{
		"alone": {}, "sentinel": {Master: "main"}, "cluster": {Cluster: true, Partitions: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var liars []*liar
			var nodes []*node
			for _, answer := range answers {
				for _, hello := range []string{"", hello, old, young} {
					l := startLiar(t, hello, answer)
					o.Addresses = []string{l.listener.Addr().String()}
					liars, nodes = append(liars, l), append(nodes, enterKeeping(t, "a", o, keepsAll))
				}
			}
			for _, l := range liars {
				linemantest.Until(t, "it is not asked", func() bool { return l.answered.Load() > 2 })
			}
			for _, n := range nodes {
				n.loop.Await(n.link.Close)
			}
		})
	}
}
