package doctor

import "strings"

// told are what was found about settings and their files when they were read.
func told(_ *Machine, o *Options) (all []Finding) {
	const name, fix = "settings", "put the file right, or name another one: lineman config check"
	for _, err := range o.Files {
		if err == nil {
			continue
		}
		for _, line := range strings.Split(err.Error(), "\n") { // an error may have joined some
			all = append(all, fail(name, strings.TrimPrefix(line, "lineman: "), fix)...)
		}
	}
	for _, w := range o.Warnings {
		all = append(all, warn(name, w, fix)...)
	}
	return all
}
