// Package doctor checks whether a machine is fit to run the push server.
//
// A check is a function of a Machine, which is all that it sees, and of Options: so each verdict can be tried with a
// machine that is made up. Checks change nothing, but for a port that they open for a moment.
package doctor

// Verdict of a check.
type Verdict string

const (
	OK   Verdict = "ok"
	Warn Verdict = "warn" // the server runs, but not as well as it could, or not under load
	Fail Verdict = "fail" // it does not start, or cannot do what is wanted
)

// Finding is what one check has found.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Fix     string  `json:"fix,omitempty"` // a command to paste, or what to write where; empty if the verdict is OK
}

// Options are what the machine is to be fit for.
type Options struct {
	Connections int    // of pages
	Descriptors int    // that a process needs for them, and for what else it does
	Processes   int    // that serve, at least 1
	Ports       []Port // ports of the server
	Queued      int    // bytes that may wait for slow pages
	Cert, Key   string // files of the certificate; empty if there is none
	Redis       Redis
	Hooks       []Hook
	Files       []error  // what is wrong with files that settings name, and with the server's; nil elements are none
	Warnings    []string // about what is unsafe, but works
}

// Port is a port of the server.
type Port struct {
	Flag string // that sets its address
	Addr string // host:port; empty if the server has no such port
}

// check returns nothing where it does not apply.
type check func(*Machine, *Options) []Finding

func portable() []check { return []check{told, ports, clock, certificate, redis, hooks} }

func onLinux() []check {
	return []check{
		kernel, openFiles, fileMax, sysctls, portRange, conntrack, tcpMemory, memory, overcommit, memoryLimit, cpuLimit,
	}
}

// Examine runs all checks that the machine's system has.
func Examine(m *Machine, o Options) (all []Finding) {
	checks := portable()
	if m.OS == "linux" {
		checks = append(onLinux(), checks...)
	}
	for _, c := range checks {
		all = append(all, c(m, &o)...)
	}
	return all
}

// Failed is how many checks have failed.
func Failed(all []Finding) (n int) {
	for _, f := range all {
		if f.Verdict == Fail {
			n++
		}
	}
	return n
}

func ok(name, found string) []Finding { return []Finding{{name, OK, found, ""}} }

func warn(name, found, fix string) []Finding { return []Finding{{name, Warn, found, fix}} }

func fail(name, found, fix string) []Finding { return []Finding{{name, Fail, found, fix}} }

// unreadable is a warning: the verdict is not known.
func unreadable(name string, err error) []Finding {
	return warn(name, "cannot be told: "+err.Error(), "run it where /proc is mounted, as a user who may read it")
}
