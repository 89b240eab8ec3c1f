package master

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LoadAverage is the load of the machine over 1, 5 and 15 minutes.
func LoadAverage() []float64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return nil
	}
	var load []float64
	for _, word := range strings.Fields(string(text))[:3] {
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return nil
		}
		load = append(load, v)
	}
	return load
}

// Resident is the memory that a process has, in bytes; 0 if it has gone.
func Resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(text), &total, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// Gone reports whether a process has ended, be it that its parent has not waited for it.
func Gone(pid int) bool {
	p, ok := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	return !ok || p.state == 'Z'
}

// startOf is when a process was started, in the system's ticks since its own start; 0 if there is no such process. With
// the pid it is known for sure, also after that was given to another one.
func startOf(pid int) uint64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	const place = 22 - 3 // of starttime, proc_pid_stat(5), after the name and its bracket
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= place {
		return 0
	}
	began, err := strconv.ParseUint(string(fields[place]), 10, 64)
	if err != nil {
		return 0
	}
	return began
}

// awaitEnd waits until a child has ended, which somebody has to wait for still.
func awaitEnd(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
}

// stat is what proc(5) says of a process.
type stat struct {
	pid, parent, group int
	state              byte
}

// readStat reads a line "pid (name) state parent group …", in which the name may hold anything.
func readStat(file string) (s stat, ok bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return stat{}, false // it has gone
	}
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, false
	}
	if _, err := fmt.Sscan(string(text), &s.pid); err != nil {
		return stat{}, false
	}
	_, err = fmt.Sscanf(string(text[end+1:]), " %c %d %d", &s.state, &s.parent, &s.group)
	return s, err == nil
}
