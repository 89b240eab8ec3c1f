package config

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// secrets reads those that settings name files of, and warns of what other users of the machine can read.
func (l *loader) secrets() {
	c := &l.loaded.Config
	inFile := l.loaded.sources["token.secrets"].kind == "file"
	for _, name := range c.Token.SecretFiles {
		if secret, ok := l.secret("token.secret_files", name); ok {
			c.Token.Secrets = append(c.Token.Secrets, secret)
		}
	}
	for i := range c.API.Keys {
		k := &c.API.Keys[i]
		at := element("api.keys", i)
		switch {
		case k.KeyFile == "":
			inFile = inFile || k.Key != "" && l.loaded.sources["api.keys"].kind == "file"
		case k.Key != "":
			l.fail(at, errors.New("has key and key_file: want one of them"))
		default:
			k.Key, _ = l.secret(at+".key_file", k.KeyFile)
		}
	}
	if inFile {
		l.warn(l.loaded.File)
	}
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
		l.loaded.Warnings = append(l.loaded.Warnings, fmt.Sprintf("%s has secrets, and every user of this machine can read it: chmod o-r %s", name, name))
	}
}
