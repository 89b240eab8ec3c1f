package doctor

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestGood finds nothing wrong with a good machine, and looks at all of it.
func TestGood(t *testing.T) {
	m, _ := good()
	all := Examine(m, wanted())
	for _, f := range all {
		if f.Verdict != OK || f.Fix != "" || f.Found == "" {
			t.Errorf("%+v", f)
		}
	}
	if len(all) != 15 || Failed(all) != 0 {
		t.Errorf("%d findings: %+v", len(all), all)
	}
}

// TestNothing tells nothing where nothing can be read: neither ok nor fail.
func TestNothing(t *testing.T) {
	m, f := good()
	clear(f)
	m.OpenFiles = func() (uint64, error) { return 0, errors.ErrUnsupported }
	warned := 0
	for _, f := range Examine(m, wanted()) {
		if f.Verdict == Fail {
			t.Errorf("%+v", f)
		}
		if f.Verdict == Warn && strings.Contains(f.Found, "cannot be told") {
			warned++
		}
	}
	if warned != 11 {
		t.Errorf("%d warnings, want 11", warned)
	}
}

// TestElsewhere checks what every system has.
func TestElsewhere(t *testing.T) {
	for _, system := range []string{"darwin", "windows"} {
		m, f := good()
		clear(f)
		m.OS = system
		var names []string
		for _, f := range Examine(m, wanted()) {
			names = append(names, f.Check+" "+string(f.Verdict))
		}
		if got := strings.Join(names, ", "); got != "port of --listen ok, clock ok" {
			t.Errorf("%s: %s", system, got)
		}
	}
}

func TestKernel(t *testing.T) {
	with := func(release string) files { return files{"/proc/sys/kernel/osrelease": release} }
	try(t, kernel,
		trial{name: "4.4", files: with("4.4.0-210-generic"), verdict: Fail, found: "want 4.5", fix: "restart"},
		trial{name: "3.10", files: with("3.10.0"), verdict: Fail, found: "3.10.0"},
		trial{name: "4.5", files: with("4.5.0"), verdict: OK, found: "4.5.0"},
		trial{name: "10.0", files: with("10.0"), verdict: OK, found: "10.0"},
		trial{name: "no number", files: with("unknown"), verdict: Warn, found: "is no version"},
	)
}

func TestSysctls(t *testing.T) {
	try(t, sysctls,
		trial{name: "nr_open", files: files{"/proc/sys/fs/nr_open": "10099"}, verdict: Fail,
			found: "fs.nr_open 10099, want 10100", fix: "echo 'fs.nr_open = 10100' | sudo tee"},
		trial{name: "watches", files: files{"/proc/sys/fs/epoll/max_user_watches": "5000"}, verdict: Fail,
			found: "fs.epoll.max_user_watches 5000, want 10100", fix: "fs.epoll.max_user_watches = 10100"},
		trial{name: "queue", files: files{"/proc/sys/net/core/somaxconn": "128"}, verdict: Warn,
			found: "128, want 4096", fix: "net.core.somaxconn = 4096"},
		trial{name: "handshakes", files: files{"/proc/sys/net/ipv4/tcp_max_syn_backlog": "128"}, verdict: Warn,
			found: "128, want 1024", fix: "net.ipv4.tcp_max_syn_backlog = 1024"},
		trial{name: "few pages", files: files{"/proc/sys/net/core/somaxconn": "128"},
			change: func(_ *Machine, o *Options) { o.Connections = 100 }, verdict: OK, found: "net.core.somaxconn 128"},
		trial{name: "empty", files: files{"/proc/sys/net/core/somaxconn": ""}, verdict: Warn, found: "want 1 numbers"},
		trial{name: "forbidden", files: files{"/proc/sys/net/core/somaxconn": "forbidden"}, verdict: Warn,
			found: "permission"},
	)
}

func TestClock(t *testing.T) {
	at := func(year int) func(*Machine, *Options) {
		return func(m *Machine, _ *Options) {
			m.Now = func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
		}
	}
	try(t, clock,
		trial{name: "the beginning", change: at(1970), verdict: Fail, found: "1970-01-01T00:00:00Z cannot be",
			fix: "set-ntp true"},
		trial{name: "far away", change: at(2100), verdict: Fail, found: "cannot be"},
		trial{name: "alone",
			change:  func(m *Machine, _ *Options) { m.InStep = func() (bool, error) { return false, nil } },
			verdict: Warn, found: "nothing keeps it right", fix: "set-ntp true"},
		trial{name: "unknown",
			change: func(m *Machine, _ *Options) {
				m.InStep = func() (bool, error) { return false, errors.New("no") }
			},
			verdict: Warn, found: "cannot be told: no"},
	)
}
