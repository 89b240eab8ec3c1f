package config

import (
	"errors"
	"fmt"
	"strings"
)

// Errors of Load and Config.Check. Each is in an *Error; several are joined, one a line.
var (
	ErrUnknown = errors.New("no such setting")
	ErrExposed = errors.New("anybody who reaches the port could be any user")
	ErrKeyless = errors.New("back ends of other machines need a key")
)

// Error is what is wrong with one setting. It never has the value of a secret.
type Error struct {
	Where string // lineman.yaml:12, LINEMAN_DRAIN or --drain; empty for a default
	Key   string // empty if it is about all of Where
	Err   error
}

func (e *Error) Error() string {
	parts := []string{"config"}
	if e.Where != "" {
		parts = append(parts, e.Where)
	}
	if e.Key != "" {
		parts = append(parts, e.Key)
	}
	return strings.Join(append(parts, e.Err.Error()), ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// unknown says that a name is none of all, and which may be meant.
func unknown(name string, all []string) error {
	if n := nearest(name, all); n != "" {
		return fmt.Errorf("%w: did you mean %s?", ErrUnknown, n)
	}
	return fmt.Errorf("%w: lineman config show lists them", ErrUnknown)
}

// misplaced says of a key in a file that it is none of those that can stand there, and which may be meant.
func misplaced(key string, all []string) error {
	name := key[strings.LastIndexByte(key, '.')+1:]
	var elsewhere []string
	for _, s := range leaves(settings()) {
		if s.name() == name && s.key != name {
			elsewhere = append(elsewhere, s.key)
		}
		if s.key == key {
			return fmt.Errorf("%w: write %s: in the section %s:", ErrUnknown, name, strings.TrimSuffix(key, "."+name))
		}
	}
	if len(elsewhere) > 0 {
		return fmt.Errorf("%w: did you mean %s?", ErrUnknown, strings.Join(elsewhere, ", or "))
	}
	return unknown(name, all)
}

// noWord says that a text is none of a list.
func noWord(text string, all []string) error {
	want := "want " + strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
	if n := nearest(text, all); n != "" {
		return fmt.Errorf("%s: did you mean %s? %s", quote(text), n, want)
	}
	return fmt.Errorf("%s: %s", quote(text), want)
}

// quote is a text of a configuration in an error: quoted, and not too long.
func quote(text string) string {
	if len(text) > 64 {
		text = text[:61] + "..."
	}
	return fmt.Sprintf("%q", text)
}
