package e2e

import (
	"bufio"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// changes are the values of a status that no two runs have in common.
var changes = regexp.MustCompile(
	`"(pid|version|started|memory|\w+_per_sec|addr|local|remote)":("[^"]*"|[0-9.e-]+)|"load":\[[^]]*\],`)

// lasting is a status without such values.
func lasting(json string) string {
	return changes.ReplaceAllStringFunc(json, func(value string) string {
		if strings.HasPrefix(value, `"load"`) {
			return ""
		}
		name, _, _ := strings.Cut(value, ":")
		return name + ":_"
	})
}

// TestStatusJSON holds the JSON of status and connections to the byte: the names, their order, and what counts what.
func TestStatusJSON(t *testing.T) {
	i := newInstance(t, "misbehave", "-count", "1")
	i.do("start", "-d")
	i.idle(3)
	c, err := net.Dial("tcp", i.addr("lines"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience)) // else the read says so
	fmt.Fprint(c, "version\nhalf")
	if line, err := bufio.NewReader(c).ReadString('\n'); line != "1\n" || err != nil {
		t.Fatalf("%q, %v", line, err)
	}
	for command, want := range map[string]string{
		"status": `{"name":"misbehave","version":_,"pid":_,"started":_,"reloads":0,"workers":3,"processes":[` +
			idleProcess("lines", "text", 1, 12, 2) + "," + idleProcess("requests", "http", 0, 0, 0) + "," +
			idleProcess("echo", "websocket", 0, 0, 0) + `],"exits":null}`,
		"connections": `{"pid":_,"process":"lines/0","id":1,"worker":"lines","protocol":"text","tls":false,` +
			`"dialed":false,"state":"open","unread":4,"pending":0,"bytes_in":12,"bytes_out":2,"local":_,"remote":_}`,
	} {
		t.Run(command, func(t *testing.T) {
			said := ""
			defer func() {
				if t.Failed() {
					t.Logf("it says\n%s\nwant\n%s", said, want)
				}
			}()
			linemantest.Until(t, "the JSON is not as it was", func() bool {
				said = lasting(i.do(command, "--json"))
				return said == want+"\n"
			})
		})
	}
	i.do("stop")
}

// idleProcess is the status of a process that has done no more than answer one line on each of its connections: so many
// bytes were read and written.
func idleProcess(worker, scheme string, conns, in, out int) string {
	return strings.NewReplacer(
		"WORKER", worker, "SCHEME", scheme, "CONNS", strconv.Itoa(conns), "READ", strconv.Itoa(in),
		"WRITTEN", strconv.Itoa(out),
	).Replace(
		`{"worker":"WORKER","id":0,"pid":_,"state":"idle","busy":0,"callback":"","started":_,"memory":_,` +
			`"listeners":[{"worker":"WORKER","addr":_,"connections":CONNS}],"connections":CONNS,"outgoing":0,` +
			`"accepted":CONNS,"requests":CONNS,"sent":CONNS,"bytes_in":READ,"bytes_out":WRITTEN,` +
			`"requests_per_sec":_,"sent_per_sec":_,"bytes_in_per_sec":_,"bytes_out_per_sec":_,` +
			`"refused":0,"panics":0,"slow":0,"timers":0}`)
}
