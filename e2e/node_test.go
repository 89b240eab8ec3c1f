package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// node is a machine with the push server on it.
type node struct {
	*machine
	index  int
	folder string // with its settings, and where it leaves its files
	server *program
	http   *http.Client // for its ports
}

// What the servers of a cluster are told, beside where Redis is.
const (
	clusterKey    = "the key of this test"
	clusterSecret = "a secret for this test only"
	settingsText  = `
listen: 0.0.0.0:1234
text: {auth: true}
api: {keys: [{name: test, key: "` + clusterKey + `"}]}
token: {secrets: ["` + clusterSecret + `"]}
namespaces:
  news: {subscribe: all}
`
)

// The ports of a node.
const pagesPort, linesPort, apiPort, adminPort = "1234", "5678", "6780", "6781"

// newNode starts a server on a machine. namespaces are lines of its settings.
func newNode(t *testing.T, index int, m *machine, redis string, namespaces ...string) *node {
	t.Helper()
	n := &node{machine: m, index: index, folder: t.TempDir()}
	write(t, filepath.Join(n.folder, "lineman.yaml"), settingsText+strings.Join(namespaces, "")+
		fmt.Sprintf("redis: {addresses: [%q]}\n", redis))
	n.http = &http.Client{Timeout: patience, Transport: &http.Transport{
		MaxIdleConnsPerHost: 100,
		DialContext:         func(_ context.Context, _, addr string) (net.Conn, error) { return m.dial(portOf(addr)) },
	}}
	t.Cleanup(n.http.CloseIdleConnections)
	n.start()
	return n
}

func (n *node) start() {
	n.t.Helper()
	cmd := exec.Command(filepath.Join(binaries, "lineman"), "start")
	cmd.Dir = n.folder
	n.server = n.launch(cmd)
	n.server.find(`pages on ws://`)
}

// kill ends every process of the server at once.
func (n *node) kill() {
	n.t.Helper()
	if n.signal(syscall.SIGKILL) == 0 {
		n.t.Error("there was nothing to kill")
	}
	n.server.end()
	n.http.CloseIdleConnections()
}

// command runs a command of the server's program in its folder.
func (n *node) command(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(binaries, "lineman"), args...)
	cmd.Dir, cmd.Env = n.folder, append(cmd.Environ(), "LINEMAN_KEY="+clusterKey)
	return n.run(cmd)
}

// visit opens the WebSocket of a page.
func (n *node) visit(query string) (net.Conn, error) {
	c, err := n.dial(pagesPort)
	if err != nil {
		return nil, err
	}
	early, _, err := (ws.Dialer{}).Upgrade(c, &url.URL{Scheme: "ws", Host: "127.0.0.1", Path: "/", RawQuery: query})
	if err != nil {
		c.Close()
		return nil, err
	}
	if early == nil {
		early = bufio.NewReaderSize(c, 512)
	}
	return ahead{c, early}, nil
}

// backend opens a back end's connection, which has said its key.
func (n *node) backend() (net.Conn, *bufio.Reader, error) {
	c, err := n.dial(linesPort)
	if err != nil {
		return nil, nil, err
	}
	lines := bufio.NewReader(c)
	fmt.Fprintf(c, `{"cmd":"auth","key":%q}`+"\n", clusterKey)
	if answer, err := lines.ReadString('\n'); err != nil || answer != `{"ok":true}`+"\n" {
		c.Close()
		return nil, nil, fmt.Errorf("the key is answered by %q, %w", answer, err)
	}
	return c, lines, nil
}

// reply is the answer to a command.
type reply struct {
	OK         bool
	N          *int
	Incomplete bool
	Counts     map[string]int
	Online     map[string]bool
	Top        string
	Error      struct{ Code, Text string }
}

// ask runs a command on a connection of its own.
func (n *node) ask(line string) (r reply, err error) {
	c, lines, err := n.backend()
	if err != nil {
		return r, err
	}
	defer c.Close()
	fmt.Fprintln(c, line)
	answer, err := lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(answer, &r)
	}
	return r, err
}

// counts reports whether the node knows of so many connections in all, and of nothing that it does not know.
func (n *node) counts(connections int) bool {
	r, err := n.ask(`{"cmd":"count","to":"*"}`)
	return err == nil && r.OK && !r.Incomplete && r.Counts["*"] == connections
}

// metrics are those without labels.
func (n *node) metrics() (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ask, _ := http.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:"+adminPort+"/metrics", nil)
	answer, err := n.http.Do(ask)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	all := map[string]float64{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			all[strings.TrimPrefix(name, "lineman_")] = v
		}
	}
	if _, ok := all["broker_linked"]; !ok {
		return nil, fmt.Errorf("the metrics of %s have no link", n.name)
	}
	return all, nil
}

// metric is one of them, or -1.
func (n *node) metric(name string) float64 {
	all, err := n.metrics()
	if err != nil {
		return -1
	}
	return all[name]
}
