package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// lineServer plays the port for lines: each connection is one of the functions, in order.
func lineServer(t *testing.T, conns ...func(c net.Conn, lines *bufio.Scanner)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool)
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		over := make(chan bool)
		for _, f := range conns {
			c, err := l.Accept()
			if err != nil {
				break
			}
			go func() {
				f(c, bufio.NewScanner(c))
				c.Close()
				over <- true
			}()
		}
		for range conns {
			select {
			case <-over:
			case <-time.After(time.Minute):
				t.Error("a connection did not end")
				return
			}
		}
	}()
	return l.Addr().String()
}

// heardEvents are what a server tells who listens.
var heardEvents = []string{
	`{"type":"connect","conn":"c:a.1","uid":"7","seq":1,"time":1,"remote":"192.0.2.1:4711","level":1,"n":1}`,
	`{"type":"message","conn":"c:a.1","uid":"7","seq":2,"time":1,"data":{"a":"\u001b[2J"},"again":true,"n":2}`,
	`{"type":"message","conn":"c:a.1","seq":3,"time":1,"text":"\u001b[2J<é>\u202e\n","n":3}`,
	`{"type":"message","conn":"c:a.1","seq":4,"time":1,"b64":"AP8=","n":4}`,
	`{"type":"rpc","conn":"c:a.1","uid":"7","seq":5,"time":1,"call":"x","method":"cart.add","data":[1],"n":5}`,
	`{"type":"close","conn":"c:a.1","uid":"7","seq":6,"time":1,"code":1000,"why":"bye","lasted":1500,"n":6}`,
	`{"type":"close","conn":"c:a.2","seq":6,"time":1,"code":1006,"lasted":61000,"n":7}`,
	`{"type":"join","uid":"7","seq":7,"time":1,"n":8}`,
	`{"type":"vacated","channel":"chat:1","seq":8,"time":1,"n":9}`,
	`{"type":"sync","seq":9,"time":1,"uids":["1","2","3","4","5","6","7","8","9","10","11","12"],` +
		`"channels":[],"first":true,"last":true,"n":10}`,
	`{"type":"dropped","seq":10,"time":1,"events":12,"n":11}`,
	`{"type":"connect","conn":"c:a.3","seq":11,"time":1,"remote":"192.0.2.1:4712","protocol":"pusher","n":12}`,
}

// TestListen shows events to people, with nothing that a terminal would obey, and to programs as they come, and
// acknowledges them.
func TestListen(t *testing.T) {
	t.Setenv("LINEMAN_KEY", "")
	people := []string{
		`connect  c:a.1 (7) from 192.0.2.1:4711, level 1`,
		`message  c:a.1 (7): {"a":"\u001b[2J"}; perhaps told before`,
		`message  c:a.1: \x1b[2J<é>\u202e\n`,
		`message  c:a.1: base64 AP8=`,
		`rpc      c:a.1 (7) cart.add: [1]`,
		`close    c:a.1 (7) after 1.5s: 1000 bye`,
		`close    c:a.2 after 1m1s: 1006`,
		`join     (7)`,
		`vacated  chat:1`,
		`sync     12 uids: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more; 0 channels`,
		`dropped  12 events`,
		`connect  c:a.3 from 192.0.2.1:4712, pusher`,
	}
	for _, c := range []struct {
		json bool
		want []string
	}{{false, people}, {true, heardEvents}} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		acknowledged := ""
		addr := lineServer(t, func(c net.Conn, lines *bufio.Scanner) {
			lines.Scan()
			_, _ = c.Write([]byte(`{"ok":true}` + "\n" + strings.Join(heardEvents, "\n") + "\n"))
			for acknowledged != `{"cmd":"ack","n":12}` && lines.Scan() {
				acknowledged = lines.Text()
			}
			cancel()
			lines.Scan()
		})
		out, note := &bytes.Buffer{}, &bytes.Buffer{}
		l := &listenFlags{linePort: linePort{server: addr}, json: c.json}
		if err := l.run(ctx, out, note); err != nil {
			t.Errorf("JSON %v: %v", c.json, err)
		}
		cancel()
		got := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(got) != len(c.want) {
			t.Fatalf("JSON %v: %d lines: %s", c.json, len(got), out)
		}
		for i, line := range got {
			if _, what, _ := strings.Cut(line, " "); !c.json {
				line = what // behind the time of day, which is that of this machine
			}
			if line != c.want[i] {
				t.Errorf("JSON %v: line %d is %q", c.json, i, line)
			}
		}
		if !strings.HasPrefix(note.String(), "listening on 127.0.0.1:") {
			t.Errorf("the note is %q", note)
		}
	}
}

// TestListenAgain goes to the successor of a server that tells of one, has the last events of both, and comes back when
// a connection breaks.
func TestListenAgain(t *testing.T) {
	t.Setenv("LINEMAN_KEY", "")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	say := func(c net.Conn, events ...string) { _, _ = c.Write([]byte(strings.Join(events, "\n") + "\n")) }
	join := func(uid string) string { return `{"type":"join","uid":"` + uid + `","time":1,"n":2}` }
	begun := make(chan bool)
	addr := lineServer(t,
		func(c net.Conn, lines *bufio.Scanner) {
			lines.Scan()
			say(c, `{"ok":true}`, `{"type":"leaving","time":1,"n":1}`)
			<-begun
			say(c, join("old"))
			for lines.Scan() && !strings.Contains(lines.Text(), `"n":2`) {
			}
			begun <- true
		},
		func(c net.Conn, lines *bufio.Scanner) {
			lines.Scan()
			begun <- true
			<-begun
			say(c, `{"ok":true}`, join("new"))
		},
		func(c net.Conn, lines *bufio.Scanner) {
			lines.Scan()
			say(c, `{"ok":true}`, join("back"))
			lines.Scan()
			cancel()
			lines.Scan()
		})
	out, note := &bytes.Buffer{}, &bytes.Buffer{}
	l := &listenFlags{linePort: linePort{server: addr}, json: true}
	if err := l.run(ctx, out, note); err != nil {
		t.Fatal(err)
	}
	want := []string{`{"type":"leaving","time":1,"n":1}`, join("old"), join("new"), join("back"), ""}
	if out.String() != strings.Join(want, "\n") {
		t.Errorf("printed %s", out)
	}
	if n := strings.Count(note.String(), "listening again"); n != 2 {
		t.Errorf("the note is %q", note)
	}
}

// TestListenAsks asks for what the flags say, and observes unless it is to take part.
func TestListenAsks(t *testing.T) {
	var asked map[string]any
	addr := serve(t, func(line string) string {
		asked = nil
		if err := json.Unmarshal([]byte(line), &asked); err != nil {
			t.Error(err)
		}
		return `{"ok":false,"error":{"code":"denied","text":"not you"}}`
	})
	t.Setenv("LINEMAN_KEY", "")
	ask := func(args ...string) map[string]any {
		t.Helper()
		_, err := runCommand("", append([]string{"listen", "--server", addr}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "not you") {
			t.Errorf("%s: %v", args, err)
		}
		return asked
	}
	all := ask()
	again := ask()
	group, _ := all["group"].(string)
	if all["observe"] != true || !strings.HasPrefix(group, "tap-") || again["group"] == group || all["of"] != nil ||
		len(all["events"].([]any)) != 9 {
		t.Errorf("asked %v", all)
	}
	some := ask("--group", "chat", "--event", "message,close", "--of", "u:7,chat:*")
	text, err := json.Marshal(some)
	if string(text) != `{"cmd":"listen","events":["message","close"],"group":"chat","of":["u:7","chat:*"]}` {
		t.Errorf("asked %s, %v", text, err)
	}
	var usage *usageError
	if _, err := runCommand("", "listen", "--event", "mesage"); !errors.As(err, &usage) {
		t.Errorf("a kind that there is not: %v", err)
	}
}

// TestListenStrange ends when what comes is no event.
func TestListenStrange(t *testing.T) {
	t.Setenv("LINEMAN_KEY", "")
	addr := serve(t, func(string) string { return `{"ok":true}` + "\nSSH-2.0" })
	l := &listenFlags{linePort: linePort{server: addr}}
	err := l.run(context.Background(), &bytes.Buffer{}, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), `says "SSH-2.0`) {
		t.Error(err)
	}
}
