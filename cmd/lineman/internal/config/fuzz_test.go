package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// wellSaid wants what Load answers to bad input to be lines of the package, and to good input what Check passes.
func wellSaid(t *testing.T, l *Loaded, err error) {
	t.Helper()
	if err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			if !strings.HasPrefix(line, "config: ") || len(line) > 1000 {
				t.Errorf("the error is\n%v", err)
			}
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%T has no *Error", err)
		}
		return
	}
	if err := l.Check(); err != nil {
		t.Errorf("it was loaded, and Check says %v", err)
	}
	l.Explain()
}

// FuzzFile loads files. One that was loaded is as its own explanation, written to a file, but for secrets.
func FuzzFile(f *testing.F) {
	f.Add([]byte(Sample("")))
	f.Add([]byte(commentedOut.ReplaceAllString(Sample("0123456789abcdef"), "$1$2")))
	f.Add([]byte("text: {listen: :1}\napi: {keys: [{name: a, key: 0123456789abcdef}]}\nnamespaces: {a: {}}"))
	f.Add([]byte("count: 2\nredis: {addresses: [a:1, b:1], master: m, tls: true, ca: c, partitions: 2}"))
	f.Add([]byte("hooks: {app: {url: 'http://10.0.0.1/', private: true, events: [close], of: ['u:*']}, b: {}}\n" +
		"events: {messages: back end, keep: 2m}"))
	f.Add([]byte("a: &a [*a, *a]\n<<: *a\n? [a]\n: 1"))
	f.Add([]byte("%YAML 1.2\n---\ndrain: !!int 5s\n...\n---\n"))
	f.Add([]byte("text:\n\tlisten: 1"))
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "file") {
			return // no file of the machine is the business of this
		}
		name := filepath.Join(folder, "lineman.yaml")
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Load(nil, []string{"LINEMAN_CONFIG=" + name})
		wellSaid(t, l, err)
		if err != nil || hasSecrets(&l.Config) {
			return
		}
		var again strings.Builder
		var section []string // that the line before was in
		for _, e := range l.Explain() {
			path := strings.Split(e.Key, ".")
			for depth := range path[:len(path)-1] {
				if depth >= len(section) || !slices.Equal(section[:depth+1], path[:depth+1]) {
					again.WriteString(strings.Repeat("  ", depth) + path[depth] + ":\n")
				}
			}
			section = path[:len(path)-1]
			again.WriteString(strings.Repeat("  ", len(section)) + path[len(section)] + ": " + e.Text() + "\n")
		}
		if err := os.WriteFile(name, []byte(again.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		back, err := Load(nil, []string{"LINEMAN_CONFIG=" + name})
		if err != nil {
			t.Fatalf("%s\n%v", again.String(), err)
		}
		for _, s := range leaves(settings()) {
			if a, b := plain(&s, l.value(&s)), plain(&s, back.value(&s)); !reflect.DeepEqual(a, b) {
				t.Errorf("%s was %v, and is %v", s.key, a, b)
			}
		}
	})
}

func hasSecrets(c *Config) bool {
	n := len(c.API.Keys) + len(c.Token.Secrets) + len(c.Redis.Password) + len(c.Redis.SentinelPassword)
	for _, h := range c.Hooks {
		n += len(h.Secrets)
	}
	return n > 0
}

// FuzzEnvironment loads a variable.
func FuzzEnvironment(f *testing.F) {
	for key, sample := range samples {
		f.Add((&setting{key: key}).variable(), sample.text)
	}
	f.Add("LINEMAN_", "")
	f.Add("LINEMAN_API_KEYS", "{")
	f.Fuzz(func(t *testing.T, name, value string) {
		if strings.Contains(name, "CONFIG") || strings.Contains(name, "FILE") || strings.Contains(value, "file") {
			return // no file of the machine is the business of this
		}
		l, err := Load(nil, []string{name + "=" + value})
		wellSaid(t, l, err)
	})
}
