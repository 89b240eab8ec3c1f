package config

import (
	"regexp"
	"testing"
)

// TestTable has every field of Config, and of what is in it, be a setting of a name and a meaning, told from all
// others.
func TestTable(t *testing.T) {
	all := leaves(settings())
	for _, s := range all {
		if s.composed() {
			all = append(all, leaves(fields(s.typ.Elem(), "element-of-"+s.key+".", nil))...)
		}
	}
	name := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	taken := map[string]string{
		"daemon": "start", "graceful": "restart", "help": "cobra", fileFlag: "Flags", fileVariable: "Load",
	}
	for _, s := range all {
		if !name.MatchString(s.name()) {
			t.Errorf("%q is no name", s.key)
		}
		if s.doc == "" {
			t.Errorf("%s is not explained", s.key)
		}
		for _, n := range []string{s.variable(), s.flag()} {
			if first, ok := taken[n]; ok {
				t.Errorf("%s is a name of %s and of %s", n, s.key, first)
			}
			taken[n] = s.key
		}
		if isForeign(s.variable()) {
			t.Errorf("%s would be passed over", s.variable())
		}
	}
	if len(all) < 50 {
		t.Errorf("%d settings", len(all))
	}
}
