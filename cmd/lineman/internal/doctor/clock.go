package doctor

import "time"

// Years between which a clock is believed.
const (
	firstYear = 2025
	lastYear  = 2099
)

// clock has to be right: credentials and certificates expire by it.
func clock(m *Machine, _ *Options) []Finding {
	const name, fix = "clock", "sudo timedatectl set-ntp true"
	now := m.Now().UTC()
	found := now.Format(time.RFC3339)
	if now.Year() < firstYear || now.Year() > lastYear {
		return fail(name, found+" cannot be: credentials and certificates expire by it", fix)
	}
	if m.OS != "linux" {
		return ok(name, found)
	}
	switch in, err := m.InStep(); {
	case err != nil:
		return warn(name, found+"; whether it is kept right cannot be told: "+err.Error(), "timedatectl")
	case !in:
		return warn(name, found+", and nothing keeps it right: credentials and certificates expire by it", fix)
	}
	return ok(name, found+", kept right")
}
