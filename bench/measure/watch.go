//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// watch sees what else the servers' core does while they are measured.
type watch struct {
	began         time.Time
	busy, servers time.Duration // until then
}

func beginWatch() (w watch, err error) {
	w.began = time.Now()
	w.busy, w.servers, err = coreTimes()
	return w, err
}

// foreign is how much of the time since then was neither idle nor the servers', in %.
func (w watch) foreign() (float64, error) {
	busy, servers, err := coreTimes()
	return foreignShare(busy-w.busy, servers-w.servers, time.Since(w.began)), err
}

func foreignShare(busy, servers, of time.Duration) float64 {
	return 100 * float64(max(0, busy-servers)) / float64(of)
}

// coreTimes are how long the servers' core was busy so far, and how long with the servers.
func coreTimes() (busy, servers time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	if busy, err = busyTime(text, serverCore); err != nil {
		return 0, 0, err
	}
	all, err := processes()
	return busy, usedBelow(all, os.Getpid(), serverCore), err
}

// busyFields are user, nice, system, irq, softirq and steal (proc_stat(5)).
var busyFields = []int{0, 1, 2, 5, 6, 7}

// busyTime is how long a core was not idle so far, with what the host has taken away from it, as /proc/stat tells.
func busyTime(text []byte, core int) (sum time.Duration, err error) {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), fmt.Sprint("cpu", core, " "))
		if !ok {
			continue
		}
		for i, field := range strings.Fields(rest) {
			if !slices.Contains(busyFields, i) {
				continue
			}
			ticks, err := strconv.Atoi(field)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(ticks) * clockTick
		}
		return sum, nil
	}
	return 0, fmt.Errorf("/proc/stat has no core %d", core)
}

// process is one of this machine.
type process struct {
	id, parent int
	name       string
	used       time.Duration
}

// processes are all that can be seen.
func processes() (all []process, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		p, err := parseProcess(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// parseProcess reads a line of proc_pid_stat(5). A name may have spaces and brackets.
func parseProcess(text string) (p process, err error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, fmt.Errorf("no name in %.40q", text)
	}
	fields := append([]string{strings.TrimSpace(text[:open])}, strings.Fields(text[end+1:])...)
	if len(fields) < 14 {
		return p, fmt.Errorf("only %d fields", len(fields))
	}
	var numbers [4]int
	for i, at := range []int{0, 2, 12, 13} { // pid, ppid, utime and stime
		if numbers[i], err = strconv.Atoi(fields[at]); err != nil {
			return p, err
		}
	}
	used := time.Duration(numbers[2]+numbers[3]) * clockTick
	return process{numbers[0], numbers[1], text[open+1 : end], used}, nil
}

// usedBelow is what the descendants of a process have used, and the thread of the kernel that works off a core's
// soft interrupts, which are the servers' packets.
func usedBelow(all []process, root, core int) (sum time.Duration) {
	parents := map[int]int{}
	for _, p := range all {
		parents[p.id] = p.parent
	}
	for _, p := range all {
		above := p.parent
		for above > 1 && above != root {
			above = parents[above]
		}
		if above == root || p.name == fmt.Sprint("ksoftirqd/", core) {
			sum += p.used
		}
	}
	return sum
}
