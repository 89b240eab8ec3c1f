package doctor

import "syscall"

func openFilesLimit() (uint64, error) {
	var l syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return l.Max, err
}

// What adjtimex(2) tells of a clock that nothing keeps right.
const (
	timeError     = 5
	statusUnsynch = 0x40
)

func inStep() (bool, error) {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t)
	return state != timeError && t.Status&statusUnsynch == 0, err
}
