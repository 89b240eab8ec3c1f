package config

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
)

// setting is a field of Config, or of what is in one of its lists and maps.
type setting struct {
	key   string // in full: text.listen
	doc   string
	typ   reflect.Type
	field []int     // where it is, as reflect.Value.FieldByIndex has it
	below []setting // of a section

	words                  []string
	size, positive, secret bool
}

// settings are the settings and sections of Config, in the order of its fields.
func settings() []setting { return fields(reflect.TypeFor[Config](), "", nil) }

// fields are the settings that the fields of a struct are.
func fields(t reflect.Type, prefix string, at []int) (all []setting) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, is := f.Tag.Get("koanf"), strings.Split(f.Tag.Get("is"), ",")
		s := setting{
			key: prefix + name, doc: descriptions[t.Name()][name], typ: f.Type, field: append(slices.Clone(at), i),
			words: wordsOf(f.Tag.Get("of")),
			size:  slices.Contains(is, "size"), positive: slices.Contains(is, "positive"),
			secret: slices.Contains(is, "secret"),
		}
		if s.typ.Kind() == reflect.Struct {
			s.below = fields(s.typ, s.key+".", s.field)
		}
		all = append(all, s)
	}
	return all
}

// wordsOf are the words that a tag gives, or the list that it names.
func wordsOf(tag string) []string {
	if tag == "" {
		return nil
	}
	return strings.Split(cmp.Or(lists[tag], tag), ",")
}

// leaves are the settings among all and in their sections.
func leaves(all []setting) (found []setting) {
	for _, s := range all {
		if s.below != nil {
			found = append(found, leaves(s.below)...)
		} else {
			found = append(found, s)
		}
	}
	return found
}

// name is the last part of the key.
func (s *setting) name() string { return s.key[strings.LastIndexByte(s.key, '.')+1:] }

// variable is the name in the environment.
func (s *setting) variable() string {
	return prefix + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// flag is the name on a command line.
func (s *setting) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(strings.TrimSuffix(s.key, ".listen"))
}

// hasFlag reports whether the setting may be said on a command line.
func (s *setting) hasFlag() bool { return !s.secret && !s.composed() }

// composed reports whether the setting is made of structs: then its text is YAML.
func (s *setting) composed() bool {
	return (s.typ.Kind() == reflect.Slice || s.typ.Kind() == reflect.Map) && s.typ.Elem().Kind() == reflect.Struct
}

// of is the value of the setting in a struct.
func (s *setting) of(v reflect.Value) reflect.Value { return v.FieldByIndex(s.field) }

// inside are the settings of each element of a composed setting.
func (s *setting) inside(prefix string) []setting { return fields(s.typ.Elem(), prefix, nil) }

// elementDefaults are elements of composed settings as they are where nothing is said; others are zero.
var elementDefaults = map[reflect.Type]any{
	reflect.TypeFor[Namespace](): DefaultNamespace(),
	reflect.TypeFor[Hook]():      DefaultHook(),
	reflect.TypeFor[App]():       DefaultApp(),
}

// newElement is an element of a composed setting as it is where nothing is said. It can be set.
func (s *setting) newElement() reflect.Value {
	v := reflect.New(s.typ.Elem()).Elem()
	if d, ok := elementDefaults[v.Type()]; ok {
		v.Set(reflect.ValueOf(d))
	}
	return v
}

// elements calls do with each element of a composed setting, and its path. What do changes of it holds.
func (c *Config) elements(s *setting, do func(path string, v reflect.Value)) {
	all := c.value(s)
	if all.Kind() == reflect.Slice {
		for i := range all.Len() {
			do(element(s.key, i), all.Index(i))
		}
		return
	}
	for _, name := range all.MapKeys() {
		v := reflect.New(s.typ.Elem()).Elem()
		v.Set(all.MapIndex(name))
		do(quoteKey(join(s.key, name.String())), v)
		all.SetMapIndex(name, v)
	}
}

// kind says in words what the setting is.
func (s *setting) kind() string {
	switch {
	case s.size:
		return "size"
	case s.typ == reflect.TypeFor[time.Duration]():
		return "duration"
	case s.typ.Kind() == reflect.Map:
		return "mapping"
	case s.typ.Kind() == reflect.Slice:
		return "list"
	case s.typ.Kind() == reflect.Bool:
		return "true or false"
	case s.typ.Kind() == reflect.Int:
		return "whole number"
	case s.typ.Kind() == reflect.Float64:
		return "number"
	}
	return "text"
}
