package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/lineman-go/lineman/linemantest"
)

// chats are the examples of chats with rooms: what hears their pages, and what serves the page.
var chats = []struct {
	name, command, program string
	serve                  func(addr string) (name string, args []string)
	page                   string
}{
	{"php-chat", "php", "chat.php", func(addr string) (string, []string) {
		return "php", []string{"-S", addr, "page.html"}
	}, "/"},
	{"python-chat", "python3", "chat.py", func(addr string) (string, []string) {
		host, port, _ := net.SplitHostPort(addr)
		return "python3", []string{"-m", "http.server", "--bind", host, port}
	}, "/page.html"},
}

// TestChats has people talk in the chats with rooms, while one of two listeners is killed.
func TestChats(t *testing.T) {
	t.Parallel()
	for _, chat := range chats {
		t.Run(chat.name, func(t *testing.T) {
			const folder = "../examples/php-chat"
			settings, err := filepath.Abs(folder + "/lineman.yaml")
			if err != nil {
				t.Fatal(err)
			}
			p := startLineman(t, "--config", settings)
			var listeners []*program
			for range 2 {
				need(t, chat.command)
				cmd := exec.Command(chat.command, chat.program)
				cmd.Dir = filepath.Join("../examples", chat.name)
				cmd.Env = append(cmd.Environ(), "LINEMAN_SERVER="+p.backends)
				listeners = append(listeners, launch(t, cmd))
			}
			name, _ := chat.serve("127.0.0.1:0")
			addr := serveOn(t, folder, name, func(addr string) []string {
				_, args := chat.serve(addr)
				return args
			})
			_, port, _ := net.SplitHostPort(p.pages)
			url := "http://" + addr + chat.page + "?port=" + port
			chrome := browser(t)
			ann, bob := chatPage{open(t, chrome, url)}, chatPage{open(t, chrome, url)}
			talk(t, ann, bob)
			if err := listeners[0].cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			listeners[0].end()
			for i := range 5 {
				bob.enter(fmt.Sprint("still here ", i))
			}
			ann.reads("Bob: still here 4")
			ann.picture(chat.name)
			if code := listeners[1].stop(); code != 0 {
				t.Errorf("SIGTERM: exit code %d", code)
			}
			if len(ann.alerts) != 0 {
				t.Error("a message ran as a script")
			}
		})
	}
}

// talk has two people find each other, talk, and go to another room.
func talk(t *testing.T, ann, bob chatPage) {
	t.Helper()
	ann.enter("Ann")
	ann.state("You are Ann, in lobby.")
	bob.enter("Bob")
	bob.state("You are Bob, in lobby.")
	ann.shows("#online li", "Ann", "Bob")
	bob.shows("#online li", "Ann", "Bob")
	bob.enter("hello, <img src=x onerror=alert(1)>")
	ann.reads("Bob: hello, <img src=x onerror=alert(1)>")
	ann.enter("hello, Bob")
	bob.reads("Bob: hello, <img src=x onerror=alert(1)>", "Ann: hello, Bob")
	bob.goTo("kitchen")
	bob.reads()
	bob.enter("is anybody here?")
	bob.reads("Bob: is anybody here?")
	ann.goTo("kitchen")
	ann.reads("Bob: is anybody here?") // said before she came
	ann.shows("#rooms button", "garden", "kitchen2", "lobby")
	bob.goTo("lobby")
	bob.reads("Bob: hello, <img src=x onerror=alert(1)>", "Ann: hello, Bob")
	ann.goTo("lobby")
}

// chatPage is the page of a chat with rooms.
type chatPage struct{ *tab }

// enter types a value, and the key that sends it: the first button of the page is that of a room.
func (p chatPage) enter(value string) {
	p.t.Helper()
	do(p.tab, chromedp.SendKeys(chromedp.CSS("input"), value+"\r"))
}

// goTo presses the button of a room.
func (p chatPage) goTo(room string) {
	p.t.Helper()
	eval[string](p.tab, fmt.Sprintf(
		`[...document.querySelectorAll("#rooms button")].find(e => e.textContent.startsWith(%q)).click(); ""`, room))
	p.state("You are " + eval[string](p.tab, "name") + ", in " + room + ".")
}

// reads waits until the last messages are these; without any, until there are none.
func (p chatPage) reads(want ...string) {
	p.t.Helper()
	const messages = `[...document.querySelectorAll("#messages li")].map(e =>
		e.querySelector("small").textContent.split(",")[0] + ": " + e.querySelector("span").textContent)`
	var got []string
	linemantest.Until(p.t, fmt.Sprintf("the page does not show %q", want), func() bool {
		got = eval[[]string](p.tab, messages)
		return len(got) >= len(want) && slices.Equal(got[max(0, len(got)-len(want)):], want) &&
			(len(want) > 0 || len(got) == 0)
	})
}

// shows waits until the elements of a selector have these texts, in whatever order.
func (p chatPage) shows(selector string, want ...string) {
	p.t.Helper()
	linemantest.Until(p.t, "the page does not show "+strings.Join(want, ", "), func() bool {
		texts := fmt.Sprintf(`[...document.querySelectorAll(%q)].map(e => e.textContent)`, selector)
		got := eval[[]string](p.tab, texts)
		slices.Sort(got)
		return slices.Equal(got, want)
	})
}

// TestListenerCopies has the class in examples/python-chat be the one of docs/listeners.md.
func TestListenerCopies(t *testing.T) {
	if blocks(t, "../docs/listeners.md", "python")[0] != read(t, "../examples/python-chat/listener.py") {
		t.Error("examples/python-chat/listener.py is not what docs/listeners.md shows")
	}
}
