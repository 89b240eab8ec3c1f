package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/knadh/koanf/providers/posflag"
	"github.com/spf13/pflag"
)

const fileFlag = "config"

// common are the settings whose flags are in the help.
var common = []string{
	"listen", "dev", "origins", "cookie", "text.listen", "api.listen", "admin.listen", "tls.cert", "tls.key",
	"tls.auto", "token.secret_files", "token.jwks", "redis.addresses", "count", "drain", "log.format", "log.level",
}

// Flags adds a flag for each setting that may have one, and --config. Those that are seldom needed are not in the help.
func Flags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.String(fileFlag, "",
		"read the settings of this `file`; else of $"+fileVariable+", or of ./"+DefaultFile+" if it exists")
	c := Default()
	for _, s := range leaves(settings()) {
		if !s.hasFlag() {
			continue
		}
		v := &flagValue{setting: s}
		switch def := plain(&s, c.value(&s)).(type) {
		case string:
			v.text = def
		case []any:
			v.text = strings.Trim(flow(def), "[]")
		default:
			v.text = flow(def)
		}
		flag := f.VarPF(v, s.flag(), "", s.document())
		flag.Hidden = !slices.Contains(common, s.key)
		if v.Type() == "bool" {
			flag.NoOptDefVal = "true"
		}
	}
}

// flagValue is what the command line says about a setting.
type flagValue struct {
	setting setting
	text    string // of the value, for the help
	value   any    // nil before Set
}

func (v *flagValue) String() string { return v.text }

// Type is what the help calls the value.
func (v *flagValue) Type() string {
	switch kind := v.setting.kind(); kind {
	case "true or false":
		return "bool"
	case "whole number":
		return "number"
	case "text":
		return "string"
	default:
		return kind
	}
}

// Set is called for each time that the flag is given: lists grow.
func (v *flagValue) Set(text string) error {
	value, err := v.setting.parse(text)
	if err != nil {
		return err
	}
	before, isList := v.value.([]string)
	if isList {
		value = append(before, value.([]string)...)
	}
	v.value, v.text = value, text
	return nil
}

// Words are those that the value of a flag must be one of, where there are some. A flag that is true or false is true
// where it only stands there, and needs none.
func Words(f *pflag.Flag) []string {
	if v, ok := f.Value.(*flagValue); ok {
		return v.setting.words
	}
	return nil
}

// MayBeFile reports whether the value of a flag is text, which may be the name of a file.
func MayBeFile(f *pflag.Flag) bool {
	v, ok := f.Value.(*flagValue)
	return ok && slices.Contains([]string{"text", "list"}, v.setting.kind())
}

// flags reads the layer of the flags.
func (l *loader) flags(f *pflag.FlagSet) {
	if f == nil {
		return
	}
	err := l.tree.Load(posflag.ProviderWithFlag(f, ".", nil, func(flag *pflag.Flag) (key string, value any) {
		v, ok := flag.Value.(*flagValue)
		if !ok || !flag.Changed {
			return "", nil
		}
		l.loaded.sources[v.setting.key] = source{"flag", "--" + flag.Name}
		return v.setting.key, v.value
	}), nil)
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

// FlagError adds to an error of pflag what to do about it, where it is one of an unknown flag.
func FlagError(f *pflag.FlagSet, err error) error {
	var none *pflag.NotExistError
	if !errors.As(err, &none) || len(none.GetSpecifiedName()) < 2 {
		return err
	}
	var all []string
	f.VisitAll(func(flag *pflag.Flag) { all = append(all, flag.Name) })
	flagless := map[string]setting{}
	for _, s := range leaves(settings()) {
		if !s.hasFlag() {
			all = append(all, s.flag())
			flagless[s.flag()] = s
		}
	}
	n := nearest(none.GetSpecifiedName(), all)
	s, without := flagless[n]
	switch {
	case n == "":
		return fmt.Errorf("%w: lineman config show lists the settings", err)
	case without && f.Lookup(fileFlag) != nil:
		return fmt.Errorf("unknown flag: --%s: %s has none, for every user of this machine can read a command line: "+
			"write it in the file, or in %s",
			strings.TrimPrefix(none.GetSpecifiedName(), "--"), s.key, s.variable())
	case without:
		return err
	}
	return fmt.Errorf("%w: did you mean --%s?", err, n)
}
