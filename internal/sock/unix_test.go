//go:build unix

package sock_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/lineman-go/lineman/internal/sock"
)

// path is a place for a socket, short enough for every system.
func path(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(dir, "s")
}

func stat(t *testing.T, path string) (fs.FileMode, *syscall.Stat_t) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode(), info.Sys().(*syscall.Stat_t)
}

func TestReusePort(t *testing.T) {
	if runtime.GOOS == "solaris" || runtime.GOOS == "illumos" || runtime.GOOS == "aix" {
		t.Skip("this system cannot share a port")
	}
	o := sock.Options{ReusePort: true}
	first := listen(t, "tcp", "127.0.0.1:0", o)
	second := listen(t, "tcp", first.Addr().String(), o)
	if first.Addr().String() != second.Addr().String() {
		t.Errorf("two addresses: %v and %v", first.Addr(), second.Addr())
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	exchange(t, second)

	one, err := sock.ListenPacket("udp", "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	two, err := sock.ListenPacket("udp", one.LocalAddr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	two.Close()
}

func TestUnix(t *testing.T) {
	p := path(t)
	ln := listen(t, "unix", p, sock.Options{})
	exchange(t, ln)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is left behind: %v", err)
	}
}

func TestUnixMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o777} {
		p := path(t)
		listen(t, "unix", p, sock.Options{Mode: mode})
		if got, _ := stat(t, p); got.Perm() != mode || got.Type() != fs.ModeSocket {
			t.Errorf("mode is %v, want a socket with %v", got, mode)
		}
	}
}

func TestUnixOwner(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip("this user has no name here:", err)
	}
	for _, owner := range []string{me.Username, me.Uid, me.Username + ":" + me.Gid, me.Uid + ":" + me.Gid} {
		p := path(t)
		listen(t, "unix", p, sock.Options{Owner: owner})
		if _, s := stat(t, p); fmt.Sprint(s.Uid) != me.Uid || fmt.Sprint(s.Gid) != me.Gid {
			t.Errorf("%s: the owner is %d:%d, want %s:%s", owner, s.Uid, s.Gid, me.Uid, me.Gid)
		}
	}
}

// TestUnixOtherOwner gives the file to somebody else, which only root may.
func TestUnixOtherOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	other, err := user.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	p := path(t)
	listen(t, "unix", p, sock.Options{Owner: "nobody", Mode: 0o600})
	if mode, s := stat(t, p); fmt.Sprint(s.Uid) != other.Uid || fmt.Sprint(s.Gid) != other.Gid || mode.Perm() != 0o600 {
		t.Errorf("the file is %v of %d:%d, want 0600 of %s:%s", mode, s.Uid, s.Gid, other.Uid, other.Gid)
	}
}

// TestUnixBadOwner leaves nothing behind when the file cannot be given away.
func TestUnixBadOwner(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Skip("this user has no name here:", err)
	}
	for owner, want := range map[string]string{
		"no-such-user":                   `no user "no-such-user"`,
		me.Username + ":no-such-group":   `no group "no-such-group"`,
		"no-such-user:no-such-group":     `no user "no-such-user"`,
		":" + me.Gid:                     `no user ""`,
		me.Username + ":" + me.Gid + ":": "no group",
	} {
		p := path(t)
		ln, err := sock.Listen("unix", p, sock.Options{Owner: owner})
		if err == nil {
			ln.Close()
			t.Errorf("owner %q was accepted", owner)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("owner %q: %v, want %s", owner, err, want)
		}
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("owner %q: the file is left behind: %v", owner, err)
		}
	}
}

func TestUnixStaleFile(t *testing.T) {
	p := path(t)
	leave(t, p)
	exchange(t, listen(t, "unix", p, sock.Options{}))
}

// leave makes the file that a killed process leaves behind: a socket that nobody listens on.
func leave(t *testing.T, path string) {
	t.Helper()
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestUnixLiveSocket(t *testing.T) {
	p := path(t)
	live := listen(t, "unix", p, sock.Options{})
	if _, err := sock.Listen("unix", p, sock.Options{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("somebody listens there: %v", err)
	}
	// Looking whether it lives has left a connection in its queue, which has ended.
	probe, err := live.Accept()
	if err != nil {
		t.Fatal(err)
	}
	probe.Close()
	exchange(t, live)
}

// TestUnixOtherFile leaves alone what is no socket, and a link to one.
func TestUnixOtherFile(t *testing.T) {
	for name, make := range map[string]func(p string) error{
		"regular file": func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"folder":       func(p string) error { return os.Mkdir(p, 0o700) },
		"link to a stale socket": func(p string) error {
			leave(t, p+"2")
			return os.Symlink(p+"2", p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := path(t)
			if err := make(p); err != nil {
				t.Fatal(err)
			}
			before, _ := stat(t, p)
			_, err := sock.Listen("unix", p, sock.Options{Mode: 0o777})
			var taken *sock.NoSocketError
			if !errors.Is(err, syscall.EADDRINUSE) || !errors.As(err, &taken) || taken.Mode != before {
				t.Errorf("got %v, want address in use by what has mode %v", err, before)
			}
			if after, _ := stat(t, p); after != before {
				t.Errorf("it was %v, it is %v", before, after)
			}
			if b, err := os.ReadFile(p); before.IsRegular() && (err != nil || string(b) != "precious") {
				t.Errorf("the file holds %q, %v", b, err)
			}
		})
	}
}

func TestUnixNoFolder(t *testing.T) {
	_, err := sock.Listen("unix", filepath.Join(path(t), "no", "folder"), sock.Options{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
