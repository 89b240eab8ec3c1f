package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// openFiles is the limit of the service if there is one, and else that of whoever runs this. The hard one counts: the
// program raises the soft one by itself.
func openFiles(m *Machine, o *Options) []Finding {
	const name = "open files"
	want := o.Descriptors
	if limit, file := unitLimit(m); file != "" {
		if limit < want {
			return fail(name, fmt.Sprintf("%d by LimitNOFILE= of %s, want %d", limit, file, want),
				unitFix(max(want, 1<<20)))
		}
		return ok(name, fmt.Sprintf("%d by LimitNOFILE= of %s", limit, file))
	}
	hard, err := m.OpenFiles()
	if err != nil {
		return unreadable(name, err)
	}
	if hard < uint64(want) {
		return fail(name, fmt.Sprintf("%d (ulimit -Hn), want %d", hard, want),
			fmt.Sprintf("printf '* hard nofile %d\\nroot hard nofile %[1]d\\n"+
				"' | sudo tee /etc/security/limits.d/60-lineman.conf, and log in again; for a container --ulimit "+
				"nofile=%[1]d", max(want, 1<<20)))
	}
	return ok(name, fmt.Sprintf("%d (ulimit -Hn)", min(hard, uint64(unlimited))))
}

const (
	unit         = "lineman.service"
	unitDefault  = 524288 // the hard limit where a unit says nothing
	unitFolder   = "/etc/systemd/system/"
	dropInFolder = unitFolder + unit + ".d/"
)

func unitFix(limit int) string {
	return fmt.Sprintf("sudo mkdir -p %s && printf '[Service]\\nLimitNOFILE=%d\\n"+
		"' | sudo tee %[1]sfiles.conf && sudo systemctl daemon-reload && sudo systemctl restart lineman",
		dropInFolder, limit)
}

// unitLimit is the hard limit of open files that the service has, and the file that says so last; that is empty if
// there is no service.
func unitLimit(m *Machine) (limit int, file string) {
	files := []string{unitFolder + unit}
	names, _ := m.ReadDir(dropInFolder) // there need be none
	slices.Sort(names)
	for _, n := range names {
		if strings.HasSuffix(n, ".conf") {
			files = append(files, dropInFolder+n)
		}
	}
	for _, name := range files {
		text, err := m.text(name)
		if err != nil {
			continue
		}
		if file == "" {
			limit, file = unitDefault, name
		}
		for _, line := range strings.Split(text, "\n") {
			if value, found := strings.CutPrefix(strings.TrimSpace(line), "LimitNOFILE="); found {
				limit, file = hardOf(value), name
			}
		}
	}
	return limit, file
}

// hardOf is the hard limit of one that is written as systemd has it: both, or soft:hard.
func hardOf(value string) int {
	if _, hard, both := strings.Cut(value, ":"); both {
		value = hard
	}
	if value == "" {
		return unitDefault // what was said before is void
	}
	return number(value)
}

// fileMax bounds the open files of the whole machine.
func fileMax(m *Machine, o *Options) []Finding {
	const name, key = "fs.file-max", "fs.file-max"
	n, err := m.numbers("/proc/sys/fs/file-nr", 3) // open, unused, most
	if err != nil {
		return unreadable(name, err)
	}
	if want := o.Descriptors; n[2]-n[0] < want {
		return fail(name, fmt.Sprintf("%d, of which %d are taken, want %d", n[2], n[0], want), set(key, n[0]+2*want))
	}
	return ok(name, fmt.Sprintf("%d, of which %d are taken", n[2], n[0]))
}
