package doctor

import "testing"

func TestOpenFiles(t *testing.T) {
	limit := func(n uint64) func(*Machine, *Options) {
		return func(m *Machine, _ *Options) { m.OpenFiles = func() (uint64, error) { return n, nil } }
	}
	const service = unitFolder + unit
	try(t, openFiles,
		trial{name: "enough", change: limit(10_100), verdict: OK, found: "10100 (ulimit -Hn)"},
		trial{name: "unlimited", change: limit(1<<64 - 1), verdict: OK},
		trial{name: "too few", change: limit(10_099), verdict: Fail, found: "10099 (ulimit -Hn), want 10100",
			fix: `printf '* hard nofile 1048576\nroot hard nofile 1048576\n' | sudo tee /etc/security/limits.d`},
		trial{name: "many pages", change: func(_ *Machine, o *Options) { o.Descriptors = 2_000_100 }, verdict: Fail,
			found: "want 2000100", fix: "nofile 2000100"},
		trial{name: "a service has its own", files: files{service: "[Service]\n  LimitNOFILE=1048576\n"},
			change: limit(1024), verdict: OK, found: "1048576 by LimitNOFILE= of " + service},
		trial{name: "and too few", files: files{service: "LimitNOFILE=1024:4096"}, verdict: Fail, found: "4096",
			fix: "LimitNOFILE=1048576"},
		trial{name: "or the default", files: files{service: "[Service]\n#LimitNOFILE=1\n"}, change: limit(1024),
			verdict: OK, found: "524288"},
		trial{name: "or none", files: files{service: "LimitNOFILE=infinity"}, change: limit(1024), verdict: OK},
		trial{name: "the last one counts", files: files{
			service: "LimitNOFILE=infinity", dropInFolder + "b.conf": "LimitNOFILE=99",
			dropInFolder + "a.conf": "LimitNOFILE=1048576", dropInFolder + "c": "LimitNOFILE=1048576",
		},
			verdict: Fail, found: "99 by LimitNOFILE= of " + dropInFolder + "b.conf"},
		trial{name: "or what is void", files: files{service: "LimitNOFILE=1024\nLimitNOFILE=\n"}, verdict: OK,
			found: "524288"},
	)
}

func TestFileMax(t *testing.T) {
	with := func(text string) files { return files{"/proc/sys/fs/file-nr": text} }
	try(t, fileMax,
		trial{name: "just enough", files: with("1000\t0\t11100"), verdict: OK, found: "11100, of which 1000 are taken"},
		trial{name: "too few", files: with("1000\t0\t11099"), verdict: Fail,
			found: "11099, of which 1000 are taken, want 10100", fix: "fs.file-max = 21200"},
		trial{name: "cut", files: with("1000"), verdict: Warn, found: "want 3 numbers"},
	)
}
