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
	"sync"
)

// builder makes programs, each once. It may be asked from any goroutine.
type builder struct {
	dir       string // for what it makes
	cert, key string // files, for TLS
	options   options
	recipes   map[string]recipe

	pushServer func() (bin string, err error) // builds the push server, once

	mu   sync.Mutex // guards made
	made map[string]*product
}

// product is a program that was made, or is being made.
type product struct {
	once    sync.Once
	program *program // nil: cannot be had
	absent  string   // why not
	err     error    // what made it fail
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
	if err := os.Mkdir(filepath.Join(dir, "runs"), 0o700); err != nil {
		return nil, err
	}
	b := &builder{dir: dir, cert: cert, key: key, options: o, recipes: map[string]recipe{}, made: map[string]*product{}}
	b.pushServer = sync.OnceValues(func() (string, error) { return b.compile("..", "./cmd/lineman") })
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
	made := b.product(name)
	made.once.Do(func() { b.make(name, made) })
	return made.program, made.err
}

func (b *builder) product(name string) *product {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.made[name] == nil {
		b.made[name] = &product{}
	}
	return b.made[name]
}

func (b *builder) make(name string, into *product) {
	make := b.recipes[name]
	if make == nil {
		into.err = fmt.Errorf("nobody makes the program %q", name)
		return
	}
	p, err := make(b)
	switch absent := (errAbsent{}); {
	case errors.As(err, &absent):
		into.absent = absent.Error()
		fmt.Fprintf(os.Stderr, "measure: without %s: %v\n", name, err)
	case err != nil:
		into.err = fmt.Errorf("make %s: %w", name, err)
	default:
		p.name, p.folders, into.program = name, b.runs(), p
	}
}

// runs is the folder for what programs leave that run.
func (b *builder) runs() string { return filepath.Join(b.dir, "runs") }

// makeAll makes programs, some at a time. What fails comes to light when it is wanted.
func (b *builder) makeAll(names []string) {
	var all sync.WaitGroup
	room := make(chan struct{}, 4)
	for _, name := range names {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			_, _ = b.program(name)
		})
	}
	all.Wait()
}

// versions are those of the programs that were made, as far as they are known.
func (b *builder) versions() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]string{}
	for name, made := range b.made {
		if made.program != nil && made.program.version != "" {
			all[name] = made.program.version
		}
	}
	return all
}

// leftOut are the programs that could not be had, in the order of their names.
func (b *builder) leftOut() (all []absence) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.made)) {
		if why := b.made[name].absent; why != "" {
			all = append(all, absence{name, why})
		}
	}
	return all
}

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
