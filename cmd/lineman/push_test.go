package main

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push"
)

// TestTarget says whom a command line means, and refuses what means nobody.
func TestTarget(t *testing.T) {
	for _, c := range []struct {
		args  []string
		to    push.Target
		data  string
		error string
	}{
		{[]string{"uid", "uid1", "{}"}, "u:uid1", "{}", ""},
		{[]string{"group", "g", "{}"}, "g:g", "{}", ""},
		{[]string{"channel", "news:go", "-"}, "news:go", "-", ""},
		{[]string{"conn", "c:a.1", "1"}, "c:a.1", "1", ""},
		{[]string{"all", "x"}, "*", "x", ""},
		{[]string{"uid", "", "x"}, "", "", "has no name"},
		{[]string{"channel", "u:x", "x"}, "", "", "another kind"},
		{[]string{"conn", "7", "x"}, "", "", "want the name that list answers"},
		{[]string{"uid", "x"}, "", "", "want: push uid"},
		{[]string{"all", "x", "{}"}, "", "", "want"},
		{[]string{"everybody", "x", "{}"}, "", "", "want"},
		{nil, "", "", "want"},
	} {
		to, data, err := target(c.args)
		if c.error != "" {
			if err == nil || !strings.Contains(err.Error(), c.error) {
				t.Errorf("%q: %q, %v, want %s", c.args, to, err, c.error)
			}
			continue
		}
		if err != nil || to != c.to || data != c.data {
			t.Errorf("%q: %q, %q, %v", c.args, to, data, err)
		}
	}
}

// serve answers lines as f says, on a free port.
func serve(t *testing.T, f func(line string) string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan bool)
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for lines := bufio.NewScanner(c); lines.Scan(); {
				if _, err := c.Write([]byte(f(lines.Text()) + "\n")); err != nil {
					break
				}
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// TestPush writes what is asked for, line by line, and tells what comes back.
func TestPush(t *testing.T) {
	var lines []string
	addr := serve(t, func(line string) string {
		lines = append(lines, line)
		switch {
		case strings.Contains(line, "nobody"):
			return `{"ok":true,"n":0}`
		case strings.Contains(line, "unsure"):
			return `{"ok":true,"n":1,"incomplete":true}`
		case strings.Contains(line, "denied"):
			return `{"ok":false,"error":{"code":"denied","text":"not you"}}`
		case strings.Contains(line, "strange"):
			return `SSH-2.0`
		}
		return `{"ok":true,"n":2}`
	})
	t.Setenv("LINEMAN_KEY", "k")
	for _, c := range []struct {
		p     pushFlags
		args  []string
		in    string
		out   string
		error string
		asked string
	}{
		{pushFlags{}, []string{"uid", "a", ` {"x": 1} `}, "", "2\n", "", `{"cmd":"pub","data":{"x":1},"to":"u:a"}`},
		{pushFlags{wait: time.Second}, []string{"all", `1`}, "", "2\n", "",
			`{"cmd":"pub","data":1,"to":"*","wait":1000}`},
		{pushFlags{}, []string{"uid", "unsure", `1`}, "", "1\n", "a node did not answer in time",
			`{"cmd":"pub","data":1,"to":"u:unsure"}`},
		{pushFlags{id: "o9"}, []string{"all", `1`}, "", "2\n", "", `{"cmd":"pub","data":1,"id":"o9","to":"*"}`},
		{pushFlags{text: true}, []string{"all", "-"}, "one\ntwo\n", "2\n2\n", "",
			`{"cmd":"pub","text":"one","to":"*"} {"cmd":"pub","text":"two","to":"*"}`},
		{pushFlags{}, []string{"uid", "nobody", `1`}, "", "0\n", "no page has got it",
			`{"cmd":"pub","data":1,"to":"u:nobody"}`},
		{pushFlags{}, []string{"uid", "denied", `1`}, "", "", "not you", `{"cmd":"pub","data":1,"to":"u:denied"}`},
		{pushFlags{}, []string{"uid", "strange", `1`}, "", "", "is no server of Lineman",
			`{"cmd":"pub","data":1,"to":"u:strange"}`},
		{pushFlags{}, []string{"uid", "a", `{`}, "", "", "say --text", ``},
		{pushFlags{}, []string{"uid", "a", "\x1b[2J" + strings.Repeat("x", 60)}, "", "",
			`"\x1b[2J` + strings.Repeat("x", 56) + `"… is no JSON`, ``},
		{pushFlags{linePort: linePort{keyFile: "/nonexistent"}}, []string{"uid", "a", `1`}, "", "",
			"--key-file /nonexistent: no such file", ``},
	} {
		lines = nil
		c.p.server = addr
		var out bytes.Buffer
		err := c.p.run(c.args, strings.NewReader(c.in), &out)
		if out.String() != c.out || (err == nil) != (c.error == "") ||
			err != nil && !strings.Contains(err.Error(), c.error) {
			t.Errorf("%q: %q, %v, want %q, %s", c.args, out.String(), err, c.out, c.error)
		}
		want := `{"cmd":"auth","key":"k"}`
		if want += " " + c.asked; c.asked == "" {
			want = "" // it was not begun
		}
		if got := strings.Join(lines, " "); got != want {
			t.Errorf("%q: asked %s, want %s", c.args, got, want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	err = (&pushFlags{linePort: linePort{server: l.Addr().String()}}).run([]string{"uid", "a", "1"}, nil,
		&bytes.Buffer{})
	if err == nil || !strings.HasSuffix(err.Error(), "by --server: connection refused") {
		t.Errorf("without a server: %v", err)
	}
	if _, err := runCommand("", "push", "uid", "-1", "{}"); err == nil ||
		!strings.Contains(err.Error(), "push -- uid -1") {
		t.Errorf("a uid like a flag: %v", err)
	}
	if _, err := runCommand("", "push", "--server", l.Addr().String(), "--", "uid", "-1", "{}"); err == nil ||
		!strings.Contains(err.Error(), "no server") {
		t.Errorf("behind --: %v", err)
	}
	var wrong *usageError
	err = (&pushFlags{linePort: linePort{server: addr}}).run([]string{"uid", "a", "{"}, nil, &bytes.Buffer{})
	if !errors.As(err, &wrong) {
		t.Errorf("what is no JSON: %v, want an error of usage", err)
	}
}
