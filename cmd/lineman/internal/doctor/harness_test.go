package doctor

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files are those of a machine that is made up: what they have, by their paths in full. What begins with "-> " is a
// link.
type files map[string]string

func (f files) read(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if text == "forbidden" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return []byte(text), nil
}

func (f files) link(name string) (string, error) {
	to, ok := strings.CutPrefix(f[name], "-> ")
	if !ok {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return to, nil
}

func (f files) list(folder string) (names []string, err error) {
	seen := map[string]bool{}
	for name := range f {
		rest, in := strings.CutPrefix(name, path.Clean(folder)+"/")
		if first, _, _ := strings.Cut(rest, "/"); in && !seen[first] {
			seen[first] = true
			names = append(names, first)
		}
	}
	if names == nil {
		return nil, &fs.PathError{Op: "open", Path: folder, Err: fs.ErrNotExist}
	}
	return names, nil
}

// good is a machine with which nothing is wrong.
func good() (*Machine, files) {
	f := files{
		"/proc/sys/kernel/osrelease":             "6.1.0-18-amd64\n",
		"/proc/sys/fs/nr_open":                   "1048576\n",
		"/proc/sys/fs/file-nr":                   "1024\t0\t9223372036854775807\n",
		"/proc/sys/fs/epoll/max_user_watches":    "3624960\n",
		"/proc/sys/net/core/somaxconn":           "4096\n",
		"/proc/sys/net/ipv4/tcp_max_syn_backlog": "1024\n",
		"/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
		"/proc/sys/net/ipv4/tcp_mem":             "92160\t122880\t184320\n",
		"/proc/sys/vm/overcommit_memory":         "0\n",
		"/proc/meminfo": "MemTotal:        8000000 kB\nMemAvailable:    4000000 kB\n" +
			"CommitLimit: 4000000 kB\nCommitted_AS: 1000000 kB\n",
		"/proc/self/cgroup": "0::/user.slice\n",
	}
	m := &Machine{
		OS: "linux", Program: "lineman",
		Now:       func() time.Time { return time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC) },
		ReadFile:  f.read,
		ReadDir:   f.list,
		ReadLink:  f.link,
		OpenFiles: func() (uint64, error) { return 1 << 20, nil },
		Listen:    func(string) error { return nil },
		InStep:    func() (bool, error) { return true, nil },
		Answers:   func(string, string) bool { return false },
		Connect:   rueidis.NewClient,
	}
	return m, f
}

// wanted are the options of the tests.
func wanted() Options {
	return Options{
		Connections: 10_000, Descriptors: 10_100, Processes: 1,
		Ports: []Port{{"listen", "127.0.0.1:1234"}, {"text", ""}}, Queued: 256 << 20,
	}
}

// trial is a machine that differs from a good one, and what a check finds there.
type trial struct {
	name    string
	files   files // in place of those that are there
	change  func(*Machine, *Options)
	verdict Verdict // empty: nothing is found
	found   string  // is in what was found
	fix     string  // is in the fix
}

// try has a check find what the trials say.
func try(t *testing.T, c check, trials ...trial) {
	t.Helper()
	for _, w := range trials {
		m, f := good()
		maps.Copy(f, w.files)
		maps.DeleteFunc(f, func(_, text string) bool { return text == "gone" })
		o := wanted()
		if w.change != nil {
			w.change(m, &o)
		}
		all := c(m, &o)
		if w.verdict == "" {
			if len(all) > 0 {
				t.Errorf("%s: %+v, want nothing", w.name, all)
			}
			continue
		}
		if err := compare(all, w); err != nil {
			t.Errorf("%s: %v", w.name, err)
		}
	}
}

// compare wants exactly one finding to be that of a trial, and the others to be good.
func compare(all []Finding, w trial) error {
	n := 0
	for _, f := range all {
		switch {
		case f.Verdict == w.verdict && strings.Contains(f.Check+" "+f.Found, w.found) && strings.Contains(f.Fix, w.fix):
			n++
		case f.Verdict != OK:
			return fmt.Errorf("%+v, want %s %q, fix %q", f, w.verdict, w.found, w.fix)
		}
		if (f.Verdict == OK) != (f.Fix == "") {
			return fmt.Errorf("%+v: want a fix where something is to be fixed", f)
		}
	}
	if n == 0 {
		return fmt.Errorf("%+v, want %s %q, fix %q", all, w.verdict, w.found, w.fix)
	}
	return nil
}
