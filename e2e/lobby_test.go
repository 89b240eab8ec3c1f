package e2e

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestLobby has people play dice through reloads: the game goes on, on the connections that they have, one of them in
// the middle of a frame.
func TestLobby(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("connections cross on Linux only")
	}
	i := newInstance(t, "handover", "-addr", "127.0.0.1:0")
	i.do("start", "-d")
	ann, bob := i.player("Ann"), i.player("Bob")
	ann.says("join red")
	ann.hears("Ann sits down; Ann is to roll")
	bob.says("join red")
	ann.hears("Bob sits down; Ann is to roll")
	bob.hears("Bob sits down; Ann is to roll")

	points := map[string]int{}
	pids := map[string]bool{}
	for round := range 3 {
		bob.says("who")
		answer := strings.Fields(bob.line())
		pids[answer[1]] = true
		if id := answer[len(answer)-1]; round == 0 {
			bob.id = id
		} else if id != bob.id {
			t.Errorf("Bob was connection %s, and is %s", bob.id, id)
		}
		ann.says("roll")
		mustHearRoll(ann, bob, points)
		bob.begins("roll")
		out := i.do("reload")
		if !strings.Contains(out, "2 connections kept, 0 drained") {
			t.Errorf("the reload says: %s", out)
		}
		bob.ends()
		mustHearRoll(bob, ann, points)
	}
	if len(pids) != 3 {
		t.Errorf("the processes were %v, want three", pids)
	}
	i.do("stop")
}

// TestLobbyPage has somebody play in a browser through a reload: the page notices nothing.
func TestLobbyPage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("connections cross on Linux only")
	}
	i := newInstance(t, "handover", "-addr", "127.0.0.1:0")
	chrome := browser(t)
	i.do("start", "-d")
	ann := open(t, chrome, "http://"+i.addr("lobby")+"/")
	ann.enter("Ann")
	ann.state("You are Ann.")
	move := func(button int) {
		eval[string](ann, fmt.Sprintf(`document.querySelectorAll("#moves button")[%d].click(); ""`, button))
	}
	move(0)
	move(2)
	said := ann.messages(3)
	if said[1] != "Ann sits down; Ann is to roll" {
		t.Errorf("the page shows %q", said)
	}
	i.do("reload")
	move(1)
	move(2)
	said = ann.messages(5)
	if !strings.HasPrefix(said[3], "Ann rolls ") || !strings.HasPrefix(said[4], "process ") || said[4] == said[2] {
		t.Errorf("the page shows %q", said)
	}
	ann.state("You are Ann.")
	ann.picture("lobby")
	i.do("stop")
	ann.state("Closed (1001")
}

// someone plays, over a WebSocket.
type someone struct {
	t    *testing.T
	name string
	id   string // of the connection
	conn net.Conn
	rest []byte // of a frame that has begun
}

func (i *instance) player(name string) *someone {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), patience)
	defer cancel()
	conn, _, _, err := ws.Dial(ctx, "ws://"+i.addr("lobby")+"/")
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { conn.Close() })
	s := &someone{t: i.t, name: name, conn: conn}
	s.says(name)
	s.hears("hello " + name + "; join a table, as in: join red")
	return s
}

func (s *someone) says(text string) {
	s.t.Helper()
	if err := wsutil.WriteClientText(s.conn, []byte(text)); err != nil {
		s.t.Fatal(err)
	}
}

// begins sends the first half of a frame, and ends the other one.
func (s *someone) begins(text string) {
	s.t.Helper()
	frame := ws.MustCompileFrame(ws.MaskFrameInPlace(ws.NewTextFrame([]byte(text))))
	s.write(frame[:len(frame)/2])
	s.rest = frame[len(frame)/2:]
}

func (s *someone) ends() {
	s.t.Helper()
	s.write(s.rest)
}

func (s *someone) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

func (s *someone) line() string {
	s.t.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	text, err := wsutil.ReadServerText(s.conn)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return string(text)
}

func (s *someone) hears(want string) {
	s.t.Helper()
	if got := s.line(); got != want {
		s.t.Errorf("%s hears %q, want %q", s.name, got, want)
	}
}

// mustHearRoll fails the test unless both hear that one has rolled, with the points that come of it, and that it is the
// turn of the other.
func mustHearRoll(one, other *someone, points map[string]int) {
	one.t.Helper()
	text := one.line()
	other.hears(text)
	var n int
	if _, err := fmt.Sscanf(text, one.name+" rolls %d", &n); err != nil {
		one.t.Fatalf("%s hears %q", one.name, text)
	}
	points[one.name] += n
	want := fmt.Sprintf("%s rolls %d and has %d; %s is to roll", one.name, n, points[one.name], other.name)
	if text != want {
		one.t.Errorf("%s hears %q, want %q", one.name, text, want)
	}
}
