package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// DefaultFile is read if it exists and no other file is named.
const DefaultFile = "lineman.yaml"

// Loaded is a configuration that was read, and checked.
type Loaded struct {
	Config
	File     string   // that was read; empty if none was
	Warnings []string // about what is unsafe, but works

	sources map[string]source // by key; what is not there is a default
}

// source is where a value comes from.
type source struct {
	kind  string // file, environment or flag
	where string // lineman.yaml:12, LINEMAN_DRAIN or --drain
}

func (s source) String() string {
	if s.kind == "" {
		return "default"
	}
	return s.kind + " " + s.where
}

// Load reads the configuration: defaults, then the file, then the environment, then the flags, later ones winning.
// flags, which Flags has prepared and which may be nil, and environ, as os.Environ gives it, name the file: --config,
// LINEMAN_CONFIG, or DefaultFile if that exists. Secrets that settings name files of are read from them. The error has
// all that is wrong, one *Error a line.
func Load(flags *pflag.FlagSet, environ []string) (*Loaded, error) {
	l := &loader{tree: koanf.New("."), settings: settings(), loaded: &Loaded{sources: map[string]source{}}}
	l.file(fileOf(flags, environ))
	l.environment(environ)
	l.flags(flags)
	return l.finish()
}

// loader is a Load under way.
type loader struct {
	tree     *koanf.Koanf
	settings []setting
	loaded   *Loaded
	errs     []error
}

// layer puts values, by keys in full, over what is there.
func (l *loader) layer(values map[string]any) {
	if err := l.tree.Load(confmap.Provider(values, "."), nil); err != nil {
		l.errs = append(l.errs, err)
	}
}

// fileOf is the file that is to be read, and whether it was named.
func fileOf(flags *pflag.FlagSet, environ []string) (name string, named bool) {
	if flags != nil {
		if f := flags.Lookup(fileFlag); f != nil && f.Changed {
			return f.Value.String(), true
		}
	}
	if name := lookup(environ, fileVariable); name != "" {
		return name, true
	}
	return DefaultFile, false
}

// file reads the layer of the file.
func (l *loader) file(name string, named bool) {
	text, err := readFile(name)
	if errors.Is(err, os.ErrNotExist) && !named {
		return
	}
	if errors.Is(err, errEmpty) {
		err = fmt.Errorf("%w: lineman config init writes one with all settings", err)
	}
	if err != nil {
		l.errs = append(l.errs, &Error{Where: name, Err: err})
		return
	}
	l.loaded.File = name
	d := &document{name: name, lines: true}
	values := map[string]any{}
	if n := d.parse(text); n != nil {
		d.mapping(n, "", l.settings, func(s *setting, line int, value any) {
			values[s.key] = value
			l.loaded.sources[s.key] = source{"file", d.where(line)}
		})
	}
	l.errs = append(l.errs, d.errs...)
	l.layer(values)
}

// maxFile bounds a file, in bytes.
const maxFile = 1 << 20

var errEmpty = errors.New("is empty")

// readFile reads a file whole.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, short(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file: each process of the server reads it by itself")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, short(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, short(err)
	case len(text) > maxFile:
		return nil, fmt.Errorf("is larger than %d MiB: this cannot be it", maxFile>>20)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, errEmpty
	}
	return text, nil
}

// short is an error without the name of the file, which is said anyway.
func short(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// maxErrors are said at once: a file of another kind would fill the log.
const maxErrors = 50

// finish makes the configuration of the layers, and checks it.
func (l *loader) finish() (*Loaded, error) {
	c := Default()
	if err := l.tree.Unmarshal("", &c); err != nil {
		l.errs = append(l.errs, err)
	}
	l.loaded.Config = c
	l.secrets()
	if _, said := l.loaded.sources["dev"]; !said {
		l.loaded.Dev = Loopback(c.Listen) && !c.Token.HasKey() && !c.AsksWho() && len(c.Pusher.Apps) == 0
	}
	l.loaded.addDevNamespace()
	if _, said := l.loaded.sources["token.revocations"]; !said && len(c.Redis.Addresses) > 0 {
		l.loaded.Token.Revocations = ""
	}
	if _, said := l.loaded.sources["limits.publish"]; !said {
		l.loaded.Limits.Publish = min(max(c.Limits.Publish, c.Limits.Message), c.Limits.Pending)
	}
	// What a setting means beside others can be told only if all of them have been understood.
	problems := l.loaded.values()
	if len(l.errs) == 0 {
		problems = append(problems, l.loaded.relations()...)
	}
	for _, p := range problems {
		l.errs = append(l.errs, l.locate(p))
	}
	if len(l.errs) > maxErrors {
		l.errs = append(l.errs[:maxErrors], &Error{Err: fmt.Errorf("and %d more", len(l.errs)-maxErrors)})
	}
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	return l.loaded, nil
}

func (l *loader) locate(e *Error) *Error { return l.loaded.Locate(e) }

// Locate says where what an error is about comes from, and returns it. A variable and a flag tell the key by their
// names.
func (l *Loaded) Locate(e *Error) *Error {
	key := settingOf(e.Key)
	from := l.sources[key]
	e.Where = from.where
	if key == e.Key && from.kind != "file" && from.kind != "" {
		e.Key = ""
	}
	return e
}

// settingOf is the key of the setting that a key, such as api.keys[0].name, is in.
func settingOf(key string) string {
	for _, s := range leaves(settings()) {
		if s.composed() && strings.HasPrefix(key, s.key) {
			return s.key
		}
	}
	return key
}

// value is that of a setting.
func (c *Config) value(s *setting) reflect.Value { return s.of(reflect.ValueOf(c).Elem()) }
