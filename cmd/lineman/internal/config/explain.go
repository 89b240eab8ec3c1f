package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Explained is a setting, and why it is so.
type Explained struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`  // as in JSON; of a secret only its length
	Source string `json:"source"` // default, file lineman.yaml:12, environment LINEMAN_X or flag --x
}

// Text is the value as YAML has it.
func (e Explained) Text() string { return flow(e.Value) }

// Explain has a row for each setting, in the order of Config.
func (l *Loaded) Explain() (all []Explained) {
	for _, s := range leaves(settings()) {
		all = append(all, Explained{s.key, plain(&s, l.value(&s)), l.sources[s.key].String()})
	}
	return all
}

// plain is a value as JSON and YAML have it: text, bool, numbers, []any and map[string]any.
func plain(s *setting, v reflect.Value) any {
	switch {
	case s.kind() == "duration":
		return durationText(time.Duration(v.Int()))
	case s.size:
		return sizeText(v.Int())
	case v.Kind() == reflect.Map:
		all := map[string]any{}
		for _, k := range v.MapKeys() {
			all[k.String()] = structure(v.MapIndex(k))
		}
		return all
	case v.Kind() == reflect.Slice:
		list := []any{}
		for i := range v.Len() {
			list = append(list, plain(&setting{secret: s.secret, typ: s.typ.Elem()}, v.Index(i)))
		}
		return list
	case v.Kind() == reflect.Struct:
		return structure(v)
	case s.secret && v.Len() > 0:
		return fmt.Sprintf("(secret, %d characters)", utf8.RuneCountInString(v.String()))
	}
	return v.Interface()
}

func structure(v reflect.Value) map[string]any {
	all := map[string]any{}
	for _, s := range fields(v.Type(), "", nil) {
		all[s.key] = plain(&s, s.of(v))
	}
	return all
}

// durationText leaves out what is zero: 1m, not 1m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// sizeText is a size in its largest unit, or a number of bytes.
func sizeText(n int64) any {
	for _, u := range []int{2, 1, 0} {
		if unit := units[u]; n != 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.suffix
		}
	}
	return n
}

// simple is text that YAML takes for text, wherever it stands.
var simple = regexp.MustCompile(
	`^[A-Za-z/][A-Za-z0-9_./*-]*$|` +
		`^[0-9]+(\.[0-9]+)+([:/][0-9]+)?$|` +
		`^[0-9]+([a-zµ]+|[KMG]iB)([0-9]+[a-z]+)*$|` +
		`^\(secret, [0-9]+ characters\)$`)

// flow is a value that plain made, as YAML on one line.
func flow(value any) string {
	switch v := value.(type) {
	case string:
		if simple.MatchString(v) && v != "true" && v != "false" && v != "null" {
			return v
		}
		return strconv.Quote(v)
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			list[i] = flow(e)
		}
		return "[" + strings.Join(list, ", ") + "]"
	case map[string]any:
		list := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			list = append(list, flow(k)+": "+flow(v[k]))
		}
		return "{" + strings.Join(list, ", ") + "}"
	}
	return fmt.Sprint(value)
}
