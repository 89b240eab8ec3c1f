package config

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
)

// secrets reads those that settings name files of, and warns of what other users of the machine can read.
func (l *loader) secrets() {
	c := &l.loaded.Config
	all := leaves(l.settings)
	inFile := l.twins("", all, reflect.ValueOf(c).Elem())
	for _, s := range all {
		if s.composed() {
			c.elements(&s, func(path string, v reflect.Value) {
				inFile = l.twins(path+".", s.inside(""), v) || inFile
			})
		}
	}
	if inFile {
		l.warn(l.loaded.File)
	}
}

// twins reads the secrets among the settings of a struct whose twins name files, and reports whether another one is
// written in the file of settings.
func (l *loader) twins(path string, all []setting, in reflect.Value) (inFile bool) {
	for _, s := range all {
		if !s.secret {
			continue
		}
		secret, key, twin := s.of(in), path+s.key, s.twin(all)
		written := secret.Len() > 0 && l.loaded.sources[settingOf(key)].kind == "file"
		switch {
		case twin == nil || twin.of(in).Len() == 0:
			inFile = inFile || written
		case secret.Kind() == reflect.Slice:
			inFile = inFile || written
			for _, name := range twin.of(in).Interface().([]string) {
				if text, ok := l.secret(path+twin.key, name); ok {
					secret.Set(reflect.Append(secret, reflect.ValueOf(text)))
				}
			}
		case secret.Len() > 0:
			l.fail(key, fmt.Errorf("is there, and %s too: want one of them", twin.name()))
		default:
			text, _ := l.secret(path+twin.key, twin.of(in).String())
			secret.SetString(text)
		}
	}
	return inFile
}

// twin is the setting among all that may name a file in place of a secret, or files for a list of them; nil if there is
// none.
func (s *setting) twin(all []setting) *setting {
	key := s.key + "_file"
	if s.typ.Kind() == reflect.Slice {
		key = strings.TrimSuffix(s.key, "s") + "_files"
	}
	i := slices.IndexFunc(all, func(t setting) bool { return t.key == key })
	if i < 0 {
		return nil
	}
	return &all[i]
}

func (l *loader) fail(key string, err error) {
	l.errs = append(l.errs, l.locate(&Error{Key: key, Err: err}))
}

// secret reads a file without the newline at its end.
func (l *loader) secret(key, name string) (secret string, ok bool) {
	text, err := readFile(name)
	secret = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case err != nil:
		l.fail(key, fmt.Errorf("%s: %w", quote(name), err))
		return "", false
	case strings.ContainsAny(secret, "\r\n"):
		l.fail(key, fmt.Errorf("%s: has several lines: want the secret alone", quote(name)))
		return "", false
	}
	l.warn(name)
	return secret, true
}

// warn tells if every user of the machine can read a file with secrets.
func (l *loader) warn(name string) {
	const others = 0o004
	info, err := os.Stat(name)
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 {
		l.loaded.Warnings = append(l.loaded.Warnings,
			fmt.Sprintf("%s has secrets, and every user of this machine can read it: chmod o-r %s", name, name))
	}
}
