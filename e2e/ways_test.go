package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// way is a way in which back ends publish.
type way struct {
	name string
	open func(*node, *ledger) (session, error)
}

// session is a back end's use of a way.
type session interface {
	// publish publishes in order. What is answered goes to the ledger, perhaps later. An error is the end of the
	// session.
	publish([]*publication) error

	// finish waits for the answers, as long as the connection lasts, and ends it.
	finish()
}

// The ways.
var (
	plainLines   = way{"plain lines", func(n *node, l *ledger) (session, error) { return newLines(n, l, true) }}
	commandLines = way{"lines", func(n *node, l *ledger) (session, error) { return newLines(n, l, false) }}
	oneByHTTP    = way{
		"HTTP", func(n *node, l *ledger) (session, error) { return &posts{n, l, "pub", "application/json"}, n.up() },
	}
	batchByHTTP = way{"batches", func(n *node, l *ledger) (session, error) {
		return &posts{n, l, "batch", "application/x-ndjson"}, n.up()
	}}
	pushCommand = way{"lineman push", func(n *node, l *ledger) (session, error) { return &pushes{n, l}, n.up() }}
)

// up tells whether back ends can connect.
func (n *node) up() error {
	c, err := n.dial(apiPort)
	if err == nil {
		c.Close()
	}
	return err
}

// command is a publication as a line.
func (p *publication) command() string {
	var to any = p.to
	if len(p.to) == 1 {
		to = p.to[0]
	}
	text, _ := json.Marshal(to)
	wait := ""
	if p.wait > 0 {
		wait = fmt.Sprintf(`,"wait":%d`, p.wait.Milliseconds())
	}
	return fmt.Sprintf(`{"cmd":"pub","to":%s,"data":{%s}%s}`, text, p.text, wait)
}

// plain is it as a line without a command. It is for one uid, or all.
func (p *publication) plain() string {
	if uid, ok := strings.CutPrefix(p.to[0], "u:"); ok {
		return fmt.Sprintf(`{"uid":%q,%s}`, uid, p.text)
	}
	return fmt.Sprintf(`{"all":true,%s}`, p.text)
}

// parseReply reads the answer to a command.
func parseReply(text string) (answer, error) {
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil || r.OK != (r.N != nil) || r.OK == (r.Error.Code != "") {
		return answer{}, fmt.Errorf("the answer is %q", text)
	}
	if !r.OK {
		return answer{failed: r.Error.Code}, nil
	}
	return answer{n: *r.N, incomplete: r.Incomplete}, nil
}

// parseLine reads the answer to a plain line, which does not tell how many.
func parseLine(text string) (answer, error) {
	switch {
	case text == "ok":
		return answer{plain: true, some: true}, nil
	case text == "fail":
		return answer{plain: true}, nil
	case strings.HasPrefix(text, "error: "):
		return answer{plain: true, failed: text}, nil
	}
	return answer{}, fmt.Errorf("the answer is %q", text)
}

// lines is the port for lines. They are written without waiting for their answers.
type lines struct {
	ledger  *ledger
	plain   bool
	conn    net.Conn
	answers *bufio.Reader
	waiting chan *publication
	ended   chan struct{} // closed when no more answers come
}

// mostWaiting is how many lines of a connection may wait for their answers.
const mostWaiting = 1000

func newLines(n *node, l *ledger, plain bool) (*lines, error) {
	c, answers, err := n.backend()
	if err != nil {
		return nil, err
	}
	s := &lines{
		ledger: l, plain: plain, conn: c, answers: answers, waiting: make(chan *publication, mostWaiting),
		ended: make(chan struct{}),
	}
	go s.read()
	return s, nil
}

func (s *lines) publish(all []*publication) error {
	for _, p := range all {
		select {
		case s.waiting <- p:
		case <-s.ended:
			return errors.New("the connection broke")
		}
		line := p.command()
		if s.plain {
			line = p.plain()
		}
		if _, err := io.WriteString(s.conn, line+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// read notes answers until there are no more.
func (s *lines) read() {
	defer close(s.ended)
	for p := range s.waiting {
		text, err := s.answers.ReadString('\n')
		if err != nil {
			return
		}
		text = strings.TrimSuffix(text, "\n")
		a, err := parseReply(text)
		if s.plain {
			a, err = parseLine(text)
		}
		if err != nil {
			s.ledger.complain("%s on node %d: %v", p.way, p.node, err)
			return
		}
		s.ledger.answered(p, a)
	}
}

func (s *lines) finish() {
	close(s.waiting)
	_ = s.conn.SetReadDeadline(time.Now().Add(patience)) // else it has ended
	<-s.ended
	s.conn.Close()
}

// posts is the HTTP API: one publication a request, or a batch.
type posts struct {
	*node
	ledger        *ledger
	command, kind string
}

func (s *posts) publish(all []*publication) error {
	if s.command == "batch" {
		return s.post(all)
	}
	for i := range all {
		if err := s.post(all[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (s *posts) post(all []*publication) error {
	var body strings.Builder
	for _, p := range all {
		line := p.command()
		if s.command != "batch" {
			line = strings.Replace(line, `"cmd":"pub",`, "", 1)
		}
		body.WriteString(line + "\n")
	}
	ask, err := http.NewRequest("POST", "http://127.0.0.1:"+apiPort+"/v1/"+s.command, strings.NewReader(body.String()))
	if err != nil {
		return err
	}
	ask.Header = http.Header{"Content-Type": {s.kind}, "Authorization": {"Bearer " + clusterKey}}
	response, err := s.http.Do(ask)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answers := bufio.NewScanner(response.Body)
	for _, p := range all {
		if !answers.Scan() {
			return fmt.Errorf("answers are missing: %w", answers.Err())
		}
		a, err := parseReply(answers.Text())
		if err != nil {
			s.ledger.complain("%s on node %d: %v", p.way, p.node, err)
			return err
		}
		s.ledger.answered(p, a)
	}
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection is used again
	return nil
}

func (s *posts) finish() {}

// pushes are runs of the command lineman push.
type pushes struct {
	*node
	ledger *ledger
}

func (s *pushes) publish(all []*publication) error {
	for _, p := range all {
		out, err := s.node.command(append(append([]string{"push"}, p.words()...), "{"+p.text+"}")...)
		said := fmt.Sprint(err)
		a := answer{incomplete: strings.Contains(said, "did not answer")}
		if _, none := fmt.Sscan(out, &a.n); none != nil {
			if !strings.Contains(said, "cannot be reached now") {
				return fmt.Errorf("lineman push: %w", err)
			}
			a.failed = said
		}
		s.ledger.answered(p, a)
	}
	return nil
}

// words are a target on a command line.
func (p *publication) words() []string {
	to := p.to[0]
	for prefix, kind := range map[string]string{"u:": "uid", "g:": "group"} {
		if name, ok := strings.CutPrefix(to, prefix); ok {
			return []string{kind, name}
		}
	}
	if to == "*" {
		return []string{"all"}
	}
	return []string{"channel", to}
}

func (s *pushes) finish() {}
