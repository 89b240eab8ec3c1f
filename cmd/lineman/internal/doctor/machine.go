package doctor

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman"
)

// Machine is what the checks see of a machine.
type Machine struct {
	OS       string // as runtime.GOOS has it
	Program  string // what the server is called
	PageSize int    // of memory, bytes

	Now      func() time.Time
	ReadFile func(name string) ([]byte, error)
	ReadDir  func(name string) (names []string, err error)
	ReadLink func(name string) (string, error)

	// OpenFiles is how many files a process may have open at most: its hard limit. Linux only.
	OpenFiles func() (uint64, error)

	// Listen tries whether a port can be opened.
	Listen func(addr string) error

	// InStep tells whether the clock is kept right by another one. Linux only.
	InStep func() (bool, error)

	// Connect connects to a server of Redis.
	Connect func(rueidis.ClientOption) (rueidis.Client, error)

	// Answers reports whether a program of Lineman of this name runs from a folder, and answers.
	Answers func(folder, name string) bool
}

// This is the machine that the program runs on.
func This() *Machine {
	return &Machine{
		OS: runtime.GOOS, Program: "lineman", PageSize: os.Getpagesize(),
		Now: time.Now, ReadFile: os.ReadFile, ReadDir: readDir, ReadLink: os.Readlink,
		OpenFiles: openFilesLimit, Listen: tryListen, InStep: inStep, Answers: answers, Connect: rueidis.NewClient,
	}
}

func readDir(name string) (names []string, err error) {
	entries, err := os.ReadDir(name)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// tryListen listens as the server would: an address of IPv4 means IPv4 alone.
func tryListen(addr string) error {
	network := "tcp"
	host, _, _ := net.SplitHostPort(addr) // listening will say what is wrong
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is4() {
		network = "tcp4"
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		return err
	}
	return l.Close()
}

func answers(folder, name string) bool {
	m := lineman.Master{
		Name: name, PIDFile: filepath.Join(folder, name+".pid"), Socket: filepath.Join(folder, name+".sock"),
	}
	_, err := m.Status()
	return err == nil
}

// text is what a file has, without the white space around it.
func (m *Machine) text(name string) (string, error) {
	b, err := m.ReadFile(name)
	return strings.TrimSpace(string(b)), err
}

// numbers are those that a file has, which are at least as many as wanted.
func (m *Machine) numbers(name string, wanted int) ([]int, error) {
	text, err := m.text(name)
	if err != nil {
		return nil, err
	}
	var all []int
	for _, field := range strings.Fields(text) {
		all = append(all, number(field))
	}
	if len(all) < wanted {
		return nil, fmt.Errorf("%s is %.40q, want %d numbers", name, text, wanted)
	}
	return all, nil
}

// number is the one that a text is. The largest stands for what is larger, and for "max" and "infinity"; what is none
// is 0.
func number(text string) int {
	if text == "max" || text == "infinity" {
		return unlimited
	}
	n, err := strconv.Atoi(text)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return n
}

// unlimited is the largest number. Systems write somewhat less for it, too.
const unlimited = int(^uint(0) >> 1)

// bytes are a size as people write it.
func bytes(n int) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
