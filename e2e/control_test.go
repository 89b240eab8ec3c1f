package e2e

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestControlHostile speaks to the control socket as no command does. Commands are answered all the same, and nothing
// changes.
func TestControlHostile(t *testing.T) {
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	began := pids(i.status())
	for name, speak := range map[string]func(c net.Conn){
		"nothing, and goes":     func(c net.Conn) { c.Close() },
		"nothing, and stays":    func(net.Conn) {},
		"garbage":               func(c net.Conn) { _, _ = c.Write([]byte("\x00\xff\x80 garbage\n\n\n")) },
		"no JSON object":        func(c net.Conn) { _, _ = c.Write([]byte("[1,2]\n")) },
		"an unknown command":    func(c net.Conn) { _, _ = c.Write([]byte(`{"command":"destroy"}` + "\n")) },
		"half a command":        func(c net.Conn) { _, _ = c.Write([]byte(`{"command":"st`)) },
		"a stop without an end": func(c net.Conn) { _, _ = c.Write([]byte(`{"command":"stop"}`)); c.Close() },
		"a huge line":           func(c net.Conn) { _, _ = c.Write([]byte(strings.Repeat("x", 10<<20))) },
		"a status not read":     func(c net.Conn) { _, _ = c.Write([]byte(`{"command":"status"}` + "\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				speak(i.speaker())
			}
			if now := pids(i.status()); !slices.Equal(now, began) {
				t.Errorf("the processes were %v, and are %v", began, now)
			}
		})
	}
	i.do("stop")
}

// speaker connects to the control socket, until the end of the test.
func (i *instance) speaker() net.Conn {
	i.t.Helper()
	c, err := net.Dial("unix", filepath.Join(i.dir, "misbehave.sock"))
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { c.Close() })
	return c
}

// TestControlOfOthers is about another user, who may not even connect.
func TestControlOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		missing(t, "only root can act as another user")
	}
	need(t, "setpriv")
	need(t, "nc")
	i := newInstance(t, "misbehave")
	i.do("start", "-d")
	socket := filepath.Join(i.dir, "misbehave.sock")
	info, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v", info.Mode())
	}
	asOther := []string{"--reuid=65534", "--regid=65534", "--clear-groups"}
	// the other user may come as far as the socket
	for dir := i.dir; dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := try(t, "", "setpriv", append(asOther, "ls", socket)...); err != nil {
		missing(t, "other users see nothing of the folder for temporary files: "+out)
	}
	out, err := try(t, `{"command":"stop"}`+"\n", "setpriv", append(asOther, "nc", "-N", "-U", socket)...)
	if err == nil || !strings.Contains(out, "ermission denied") {
		t.Errorf("another user: %v\n%s", err, out)
	}
	i.idle(6)
	i.do("stop")
}
