//go:build linux

package main

import (
	"bufio"
	"debug/buildinfo"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is where and when was measured.
type machine struct {
	When      string            `json:"when"`
	Processor string            `json:"processor"`
	Cores     int               `json:"cores"`
	Kernel    string            `json:"kernel"`
	Go        string            `json:"go"`
	Commit    string            `json:"commit,omitempty"`
	Versions  map[string]string `json:"versions"` // of rivals, by program, as far as they are known
}

func (m *measurement) machine() machine {
	var name unix.Utsname
	_ = unix.Uname(&name) // of a buffer that is there it cannot fail
	// Behind the number is who has built it.
	kernel, _, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), "-")
	return machine{
		When: time.Now().UTC().Format(time.DateOnly), Processor: processor(), Cores: runtime.NumCPU(),
		Kernel: kernel, Go: runtime.Version(), Commit: m.commit,
		Versions: m.versions(),
	}
}

// commit is what is measured. It is asked before a report is written, which may be a file of the same repository.
func commit() string { return says("git", "describe", "--always", "--dirty") }

// by is when figures were measured, of what, where, and by which command. Where files are is nobody else's business.
func (m *measurement) by() string {
	command := "go -C bench run ./measure"
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "report", "json", "with", "baseline", "before":
		case "only":
			for _, one := range m.only {
				command += fmt.Sprintf(" -only %q", one)
			}
		case "quick":
			command += " -quick"
		default:
			command += fmt.Sprintf(" -%s %s", f.Name, f.Value)
		}
	})
	text := fmt.Sprintf("`%s`, %s", command, time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	if m.apart > 0 {
		text += fmt.Sprintf(", cores %d ns apart", m.apart.Nanoseconds())
	}
	if m.commit != "" {
		text += ", at " + m.commit
	}
	text += ", on " + processor() // what stays of an older report may be of another machine
	if m.rounds == 1 {
		return text + fmt.Sprintf("; one round of %v", m.length)
	}
	return text + fmt.Sprintf("; the median of %d rounds of %v", m.rounds, m.length)
}

// String is a paragraph of a report.
func (m machine) String() string {
	text := fmt.Sprintf("%s, %s, %d cores, Linux %s, %s", m.When, m.Processor, m.Cores, m.Kernel, m.Go)
	if m.Commit != "" {
		text += ", Lineman at " + m.Commit
	}
	text += "."
	if len(m.Versions) == 0 {
		return text
	}
	var with []string
	for _, program := range slices.Sorted(maps.Keys(m.Versions)) {
		with = append(with, program+" "+m.Versions[program])
	}
	return text + " With " + strings.Join(with, ", ") + "."
}

// processor is what /proc/cpuinfo calls the first core.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// moduleVersion is the version of a module in a program, empty if it is not in it.
func moduleVersion(bin, module string) string {
	info, err := buildinfo.ReadFile(bin)
	if err != nil {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	return ""
}
