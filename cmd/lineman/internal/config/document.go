package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// document reads YAML, which JSON is too, by the table of settings. What it does not know, or knows already, is an
// error with its line.
type document struct {
	name  string // of the file or the variable
	lines bool   // say them
	errs  []error
}

// found gets each value.
type found func(s *setting, line int, value any)

// fail notes an error.
func (d *document) fail(line int, key string, err error) {
	d.errs = append(d.errs, &Error{Where: d.where(line), Key: key, Err: err})
}

func (d *document) where(line int) string {
	if d.lines && line > 0 {
		return d.name + ":" + strconv.Itoa(line)
	}
	return d.name
}

// parse gives the only document in a text, or nil if it has none but comments, or an error was noted.
func (d *document) parse(text []byte) *yaml.Node {
	if !utf8.Valid(text) {
		d.fail(0, "", errors.New("is not UTF-8: it is a file of another kind, or of another character set"))
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root, second yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		d.wrong(text, err)
		return nil
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		d.fail(second.Line, "", errors.New("a second document begins: want one"))
		return nil
	}
	return root.Content[0]
}

var (
	yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)
	indented = regexp.MustCompile(`^ *\t`)
)

// wrong notes an error of the YAML library: that of a tab in front of a line, which it cannot name, if there is one.
func (d *document) wrong(text []byte, err error) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		if indented.Match(line) {
			d.fail(i+1, "", errors.New("a tab in front of the line: YAML wants spaces"))
			return
		}
	}
	said := yamlLine.FindStringSubmatch(err.Error())
	line := 0
	if said != nil {
		line, _ = strconv.Atoi(said[1]) // it says none
		err = errors.New(strings.TrimPrefix(err.Error(), said[0]))
	}
	if strings.HasPrefix(err.Error(), "unknown anchor") { // it tells what may be a secret
		err = errors.New("an alias of nothing: quote a text that begins with *")
	}
	d.fail(line, "", fmt.Errorf("no YAML: %w", err))
}

// mapping reads the settings of a section.
func (d *document) mapping(n *yaml.Node, path string, all []setting, set found) {
	if isNull(n) {
		return // all that is below has been commented out
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n.Line, path, fmt.Errorf("want settings with their names, found %s", describe(n)))
		return
	}
	for key, value := range d.entries(n, path) {
		s := byName(all, key.Value)
		switch full := join(path, key.Value); {
		case s == nil && len(d.errs) > maxErrors:
			d.fail(key.Line, "", ErrUnknown) // it is counted, and not said
		case s == nil:
			d.fail(key.Line, quoteKey(full), misplaced(full, names(all)))
		case s.below != nil:
			d.mapping(value, full, s.below, set)
		default:
			if v, ok := d.value(value, full, s); ok {
				set(s, key.Line, v)
			}
		}
	}
}

// entries are the keys and values of a mapping, without those that cannot be told.
func (d *document) entries(n *yaml.Node, path string) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			full := quoteKey(join(path, key.Value))
			switch first := seen[key.Value]; {
			case key.Kind != yaml.ScalarNode:
				d.fail(key.Line, path, fmt.Errorf("want the name of a setting, found %s", describe(key)))
				continue
			case value.Kind == yaml.AliasNode || key.Tag == "!!merge":
				d.fail(value.Line, full, errors.New("aliases are not understood: write the value out"))
				continue
			case first > 0:
				d.fail(key.Line, full, fmt.Errorf("is there already, on line %d", first))
				continue
			}
			seen[key.Value] = key.Line
			if !yield(key, value) {
				return
			}
		}
	}
}

// value reads the value of a setting.
func (d *document) value(n *yaml.Node, path string, s *setting) (value any, ok bool) {
	switch {
	case s.composed() && s.typ.Kind() == reflect.Map:
		return d.named(n, path, s)
	case s.composed():
		return d.numbered(n, path, s)
	case s.kind() == "list":
		return d.list(n, path)
	}
	return d.scalar(n, path, s)
}

func (d *document) scalar(n *yaml.Node, path string, s *setting) (any, bool) {
	if isNull(n) {
		d.fail(n.Line, path, errors.New(`has no value: leave it out, or write "" for an empty text`))
		return nil, false
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(n.Line, path, fmt.Errorf("found %s: want %s", describe(n), s.kind()))
		return nil, false
	}
	v, err := s.parse(n.Value)
	if err != nil {
		d.fail(n.Line, path, err)
	}
	return v, err == nil
}

func (d *document) list(n *yaml.Node, path string) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n.Line, path, fmt.Errorf("found %s: want a list, such as [a, b]", describe(n)))
		return nil, false
	}
	list := []string{}
	for _, e := range n.Content {
		if e.Kind != yaml.ScalarNode || isNull(e) && e.Value != "null" { // which is an origin
			d.fail(e.Line, path, fmt.Errorf("found %s in the list: want text", describe(e)))
			return nil, false
		}
		list = append(list, e.Value)
	}
	return list, true
}

// numbered reads a list of structs.
func (d *document) numbered(n *yaml.Node, path string, s *setting) (any, bool) {
	if n.Kind != yaml.SequenceNode {
		d.fail(n.Line, path, fmt.Errorf("found %s: want a list, each element with its settings", describe(n)))
		return nil, false
	}
	all := reflect.MakeSlice(s.typ, 0, len(n.Content))
	for i, e := range n.Content {
		all = reflect.Append(all, d.structure(e, element(path, i), s))
	}
	return all.Interface(), true
}

// named reads a map of structs.
func (d *document) named(n *yaml.Node, path string, s *setting) (any, bool) {
	if n.Kind != yaml.MappingNode {
		d.fail(n.Line, path, fmt.Errorf("found %s: want names, each with its settings", describe(n)))
		return nil, false
	}
	all := reflect.MakeMap(s.typ)
	for key, value := range d.entries(n, path) {
		all.SetMapIndex(reflect.ValueOf(key.Value), d.structure(value, join(path, key.Value), s))
	}
	return all.Interface(), true
}

// structure reads one element of a list or map of structs.
func (d *document) structure(n *yaml.Node, path string, s *setting) reflect.Value {
	v := s.newElement()
	d.mapping(n, path, s.inside(""), func(s *setting, _ int, value any) {
		s.of(v).Set(reflect.ValueOf(value))
	})
	return v
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// describe says what a node is, without its value, which may be a secret.
func describe(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	}
	return "a single value"
}

func byName(all []setting, name string) *setting {
	for i := range all {
		if all[i].name() == name {
			return &all[i]
		}
	}
	return nil
}

func names(all []setting) (list []string) {
	for _, s := range all {
		list = append(list, s.name())
	}
	return list
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// quoteKey is a key in an error: as it is if it could be one.
func quoteKey(key string) string {
	if len(key) > 64 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 }) {
		return quote(key)
	}
	return key
}
