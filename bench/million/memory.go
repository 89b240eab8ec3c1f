//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// watchMemory calls giveUp when fewer bytes of memory than that are available.
func watchMemory(ctx context.Context, least uint64, giveUp context.CancelCauseFunc) {
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
		if available, err := sizeIn("/proc/meminfo", "MemAvailable:"); err != nil || available < least {
			giveUp(fmt.Errorf("only %d MiB of memory are available, want %d: %w", available>>20, least>>20, err))
		}
	}
}

// kernelMemory is what the kernel has for its objects, in bytes: of the whole machine.
func kernelMemory() (uint64, error) { return sizeIn("/proc/meminfo", "Slab:") }

// userMemory is the proportional set size of a process, in bytes.
func userMemory(pid int) (uint64, error) {
	return sizeIn(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

// sizeIn is a size that a file of /proc tells, in bytes.
func sizeIn(file, name string) (uint64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			kib, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("%s does not tell %s", file, name)
}
