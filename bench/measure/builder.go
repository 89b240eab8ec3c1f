//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// builder makes programs, each when a case first wants it.
type builder struct {
	dir       string // for what it makes
	cert, key string // files, for TLS
	options   options
	recipes   map[string]recipe
	made      map[string]*program // nil: cannot be had
	absences  []absence

	pushServer string // where the push server is, once it was built
}

// recipe makes a program. An error that is errAbsent says why it cannot be had here.
type recipe func(b *builder) (*program, error)

// errAbsent is that a program cannot be had here, which is no failure, and why.
type errAbsent struct{ error }

// because is an errAbsent.
func because(format string, a ...any) error { return errAbsent{fmt.Errorf(format, a...)} }

// absence is a program that is left out.
type absence struct {
	Program string `json:"program"`
	Why     string `json:"why"`
}

func newBuilder(dir string, o options) (*builder, error) {
	cert, key, err := writeCertificate(dir)
	if err != nil {
		return nil, err
	}
	b := &builder{dir: dir, cert: cert, key: key, options: o, recipes: map[string]recipe{}, made: map[string]*program{}}
	maps.Copy(b.recipes, ours)
	for name, env := range variants {
		b.recipes[name] = pushServerWith(env...)
	}
	for _, r := range rivals {
		if r.make != nil {
			b.recipes[r.program] = r.make
		}
	}
	return b, nil
}

// program is the program of a name, nil if it cannot be had here.
func (b *builder) program(name string) (*program, error) {
	if p, known := b.made[name]; known {
		return p, nil
	}
	make := b.recipes[name]
	if make == nil {
		return nil, fmt.Errorf("nobody makes the program %q", name)
	}
	p, err := make(b)
	if err != nil {
		p = nil
	}
	if absent := (errAbsent{}); errors.As(err, &absent) {
		b.absences = append(b.absences, absence{name, absent.Error()})
		fmt.Fprintf(os.Stderr, "measure: without %s: %v\n", name, err)
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", name, err)
	}
	if p != nil {
		p.name = name
	}
	b.made[name] = p
	return p, nil
}

// versions are those of the programs that were made, as far as they are known.
func (b *builder) versions() map[string]string {
	all := map[string]string{}
	for name, p := range b.made {
		if p != nil && p.version != "" {
			all[name] = p.version
		}
	}
	return all
}

// leftOut are the programs that could not be had.
func (b *builder) leftOut() []absence { return slices.Clone(b.absences) }

// compile builds a package in a folder, and returns where the program is.
func (b *builder) compile(folder, pkg string) (bin string, err error) {
	f, err := os.CreateTemp(b.dir, "program-")
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-o", f.Name(), pkg)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return f.Name(), nil
}

// module makes the program of a rival that is a Go module, or a package of Go itself.
func module(folder, path string) recipe { return served("./rivals/"+folder, path) }

// served makes a program of this module that has the flags of package served, and measures the module of a path.
func served(pkg, module string) recipe {
	return func(b *builder) (*program, error) {
		bin, err := b.compile(".", pkg)
		p := &program{counts: true, command: func(protos string, ports []string) ([]string, error) {
			return append(flags(bin, protos, ports), "-cert", b.cert, "-key", b.key), nil
		}}
		if err == nil && module != "" {
			p.version = moduleVersion(bin, module)
		}
		return p, err
	}
}

// goFloor is the raw loop in Go.
func goFloor(b *builder) (*program, error) {
	bin, err := b.compile(".", "./floor")
	return &program{command: func(protos string, ports []string) ([]string, error) {
		return flags(bin, protos, ports), nil
	}}, err
}

func flags(bin, protos string, ports []string) []string {
	return []string{bin, "-proto", protos, "-port", strings.Join(ports, ",")}
}

// says is the first line that a command prints; empty if it fails.
func says(name string, arguments ...string) string {
	out, err := exec.Command(name, arguments...).CombinedOutput()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// installed is where a command is.
func installed(name string) (bin string, err error) {
	if bin, err = exec.LookPath(name); err != nil {
		return "", because("%s is not installed", name)
	}
	return filepath.Abs(bin)
}
