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
	inFile := l.twins("", leaves(l.settings), reflect.ValueOf(c).Elem())
	for i := range c.API.Keys {
		k := &c.API.Keys[i]
		inFile = l.twins(element("api.keys", i)+".", fields(reflect.TypeOf(*k), "", nil), reflect.ValueOf(k).Elem()) ||
			inFile
	}
	for _, name := range c.Token.SecretFiles {
		if secret, ok := l.secret("token.secret_files", name); ok {
			c.Token.Secrets = append(c.Token.Secrets, secret)
		}
	}
	if inFile {
		l.warn(l.loaded.File)
	}
}

// twins reads the secrets among the settings of a struct whose twins name a file, and reports whether another one is
// written in the file of settings.
func (l *loader) twins(path string, all []setting, in reflect.Value) (inFile bool) {
	for _, s := range all {
		if !s.secret {
			continue
		}
		secret, key, file := s.of(in), path+s.key, ""
		twin := s.twin(all)
		if twin != nil {
			file = twin.of(in).String()
		}
		switch {
		case file == "":
			inFile = inFile || secret.Len() > 0 && l.loaded.sources[settingOf(key)].kind == "file"
		case secret.Len() > 0:
			l.fail(key, fmt.Errorf("is there, and %s too: want one of them", twin.name()))
		default:
			text, _ := l.secret(path+twin.key, file)
			secret.SetString(text)
		}
	}
	return inFile
}

// twin is the setting among all that may name a file in place of a secret; nil if there is none.
func (s *setting) twin(all []setting) *setting {
	i := slices.IndexFunc(all, func(t setting) bool { return t.key == s.key+"_file" })
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
