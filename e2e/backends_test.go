package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// TestBackends runs each program of docs/backends.md, without a key and with one.
func TestBackends(t *testing.T) {
	const document = "../docs/backends.md"
	folder := t.TempDir()
	for name, language := range map[string]string{
		"client.php": "php", "client.py": "python", "client.js": "js", "client.go": "go", "client.sh": "sh",
	} {
		write(t, filepath.Join(folder, name), block(t, document, language))
	}
	const key = "the key of this test"
	settings := filepath.Join(folder, "lineman.yaml")
	write(t, settings, fmt.Sprintf("text: {auth: true}\napi: {keys: [{name: test, key: %q}]}\n", key))
	t.Setenv("PATH", binaries+":"+os.Getenv("PATH"))
	t.Setenv("GOFLAGS", "-mod=mod") // the program is in no module
	for what, c := range map[string]struct {
		flags []string
		key   string
	}{"no key": {nil, ""}, "a key": {[]string{"--config", settings}, key}} {
		t.Run(what, func(t *testing.T) {
			p := startLineman(t, c.flags...)
			page := visit(t, p.pages)
			if err := wsutil.WriteClientText(page, []byte("uid1")); err != nil {
				t.Fatal(err)
			}
			t.Setenv("LINEMAN_SERVER", p.backends)
			t.Setenv("LINEMAN_API", strings.TrimSuffix(p.api, "/v1/"))
			t.Setenv("LINEMAN_KEY", c.key)
			linemantest.Until(t, "the page is not there", func() bool {
				out, _ := try(t, "", "lineman", "push", "--server", p.backends, "uid", "uid1", `"probe"`)
				return out == "1\n"
			})
			for _, run := range [][]string{
				{"php", "client.php"}, {"python3", "client.py"}, {"node", "client.js"}, {"go", "run", "client.go"},
				{"sh", "client.sh"},
			} {
				t.Run(run[0], func(t *testing.T) {
					run[len(run)-1] = filepath.Join(folder, run[len(run)-1])
					if got := output(t, "", run[0], run[1:]...); got != "1\n1\n{\"uid1\":true,\"uid2\":false}\n" {
						t.Errorf("it prints %q", got)
					}
					gets(t, page, `{"percent":"88%"}`, "hello, room")
				})
			}
		})
	}
}

// TestBackendsLost has the programs of docs/backends.md that keep a connection lose it again and again, with a request
// that was done and not answered: they ask again, and nothing is done twice.
func TestBackendsLost(t *testing.T) {
	const document = "../docs/backends.md"
	folder := t.TempDir()
	p := startLineman(t)
	t.Setenv("LINEMAN_SERVER", losesLines(t, p.backends))
	t.Setenv("LINEMAN_API", losesCalls(t, strings.TrimSuffix(p.api, "/v1/")))
	t.Setenv("GOFLAGS", "-mod=mod") // the program is in no module
	page := visit(t, p.pages)
	if err := wsutil.WriteClientText(page, []byte("uid1")); err != nil {
		t.Fatal(err)
	}
	p.known("uid1")
	gets(t, page, `{"uid":"uid1"}`) // what made it known
	const want = "1\n1\n{\"uid1\":true,\"uid2\":false}\n"
	for language, run := range map[string][]string{
		"php": {"php", "client.php"}, "python": {"python3", "client.py"}, "js": {"node", "client.js"},
		"go": {"go", "run", "client.go"},
	} {
		t.Run(language, func(t *testing.T) {
			program := filepath.Join(folder, run[len(run)-1])
			write(t, program, block(t, document, language))
			if got := output(t, "", run[0], append(run[1:len(run)-1:len(run)-1], program)...); got != want {
				t.Errorf("it prints %q", got)
			}
			p.ask(`{"cmd":"pub","to":"u:uid1","text":"end"}` + "\n")
			gets(t, page, `{"percent":"88%"}`, "hello, room", "end")
		})
	}
}

// losesLines is a relay to a port for lines. Each connection answers one line, and ends with the next, which is passed
// on all the same.
func losesLines(t *testing.T, to string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	relay := func(c net.Conn) {
		defer c.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return // the test tells by what is missing
		}
		defer server.Close()
		asked, answers := bufio.NewReader(c), bufio.NewReader(server)
		for lost := range 2 {
			line, err := asked.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(server, line)
			if line, err = answers.ReadString('\n'); err == nil && lost == 0 {
				_, _ = io.WriteString(c, line)
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go relay(c)
		}
	}()
	return l.Addr().String()
}

// losesCalls is likewise one to the HTTP API.
func losesCalls(t *testing.T, to string) (url string) {
	t.Helper()
	type answered struct{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := http.Post(to+r.URL.Path, r.Header.Get("Content-Type"), r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		defer answer.Body.Close()
		if r.Context().Value(answered{}).(*atomic.Int32).Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.Copy(w, answer.Body)
	}))
	s.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, answered{}, new(atomic.Int32))
	}
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

// gets checks what a page is sent, beside what found out that it is there.
func gets(t *testing.T, page net.Conn, want ...string) {
	t.Helper()
	for _, w := range want {
		got, err := wsutil.ReadServerText(page)
		for err == nil && string(got) == `"probe"` {
			got, err = wsutil.ReadServerText(page)
		}
		if err != nil || string(got) != w {
			t.Errorf("the page got %q, %v, want %q", got, err, w)
		}
	}
}
