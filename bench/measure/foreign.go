//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// given is what the command line gives for a program: -with NAME=PATH.
func (b *builder) given(name, what string) (path string, err error) {
	path = b.options.with[name]
	if path == "" {
		return "", because("its %s is not given (-with %s=PATH)", what, name)
	}
	return filepath.Abs(path)
}

// revision is that of a folder in git; empty of another one.
func revision(folder string) string {
	return says("git", "-C", folder, "describe", "--always", "--tags")
}

// run runs a command in a folder. That it fails is a reason to leave a program out.
func run(folder, name string, arguments ...string) error {
	cmd := exec.Command(name, arguments...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return because("%s: %w: %.2000s", filepath.Base(name), err, out)
	}
	return nil
}

// folder makes a folder for a program, with copies of some files.
func (b *builder) folder(name string, files ...string) (dir string, err error) {
	dir = filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// protoAndPort are the arguments of most programs that are not in Go.
func protoAndPort(command ...string) *program {
	return &program{command: func(proto string, ports []string) ([]string, error) {
		return append(command[:len(command):len(command)], proto, ports[0]), nil
	}}
}

// cFloor is the raw loop in C.
func cFloor(b *builder) (*program, error) {
	gcc, err := installed("gcc")
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(b.dir, "c-floor")
	return protoAndPort(bin), run(".", gcc, "-O2", "-o", bin, "cfloor/floor.c")
}

// sources makes the program of a rival in Go whose module is in a folder that is given.
func sources(name, module string) recipe {
	return func(b *builder) (*program, error) {
		from, err := b.given(name, "folder of sources")
		if err != nil {
			return nil, err
		}
		dir, err := b.folder(name, "rivals/_"+name+"/main.go")
		if err != nil {
			return nil, err
		}
		// The version stands for what is replaced; v2 of a module must have one of v2.
		version := "v0.0.0"
		if strings.HasSuffix(module, "/v2") {
			version = "v2.0.0"
		}
		text := fmt.Sprintf("module rival\n\ngo 1.26\n\nrequire %s %s\n\nreplace %s => %s\n",
			module, version, module, from)
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600); err != nil {
			return nil, err
		}
		bin := filepath.Join(dir, name)
		p := protoAndPort(bin)
		p.version = revision(from)
		return p, errors.Join(
			run(dir, "go", "mod", "tidy"), run(dir, "go", "build", "-o", bin, "."))
	}
}

// node is Node with the package ws, which npm brings.
func node(b *builder) (*program, error) {
	bin, err := installed("node")
	if err != nil {
		return nil, err
	}
	npm, err := installed("npm")
	if err != nil {
		return nil, err
	}
	dir, err := b.folder("node", "rivals/node/server.mjs")
	if err != nil {
		return nil, err
	}
	if err := run(dir, npm, "install", "--no-audit", "--no-fund", "ws@8"); err != nil {
		return nil, err
	}
	version := says(bin, "-p", `process.version + ", ws " + require("`+dir+`/node_modules/ws/package.json").version`)
	return &program{version: version, command: func(proto string, ports []string) ([]string, error) {
		return []string{bin, filepath.Join(dir, "server.mjs"), proto, ports[0], b.cert, b.key}, nil
	}}, nil
}

// workerman is Workerman from a folder with its files, or with what composer has installed.
func workerman(b *builder) (*program, error) {
	php, err := installed("php")
	if err != nil {
		return nil, err
	}
	from, err := b.given("workerman", "folder")
	if err != nil {
		return nil, err
	}
	dir, err := b.folder("workerman", "rivals/workerman/server.php")
	if err != nil {
		return nil, err
	}
	p := &program{supervised: true, command: func(proto string, ports []string) ([]string, error) {
		server := filepath.Join(dir, "server.php")
		return []string{php, server, "start", proto, ports[0], from, dir, b.cert, b.key}, nil
	}}
	p.version = revision(from)
	// Without an extension for events it waits by select, which takes 1,024 descriptors.
	if run(dir, php, "-r", `exit(array_filter(["ev", "event", "swoole", "uv"], "extension_loaded") ? 0 : 1);`) != nil {
		p.most = 1000
	}
	return p, nil
}

// uWebSockets is built from a folder with its sources and those of uSockets, as a clone with submodules has them.
func uWebSockets(b *builder) (*program, error) {
	from, err := b.given("uwebsockets", "folder of sources")
	if err != nil {
		return nil, err
	}
	compiler, err := installed("g++")
	if err != nil {
		return nil, err
	}
	dir, err := b.folder("uwebsockets")
	if err != nil {
		return nil, err
	}
	var c []string
	for _, pattern := range []string{"*.c", "eventing/*.c", "crypto/*.c"} {
		files, err := filepath.Glob(filepath.Join(from, "uSockets/src", pattern))
		if err != nil {
			return nil, err
		}
		c = append(c, files...)
	}
	include := "-I" + filepath.Join(from, "uSockets/src")
	if err := run(dir, "gcc", append([]string{"-O3", "-DLIBUS_NO_SSL", include, "-c"}, c...)...); err != nil {
		return nil, err
	}
	objects, err := filepath.Glob(filepath.Join(dir, "*.o"))
	if err != nil {
		return nil, err
	}
	main, err := filepath.Abs("rivals/uwebsockets/main.cpp")
	if err != nil {
		return nil, err
	}
	bin := filepath.Join(dir, "uwebsockets")
	arguments := []string{
		"-std=c++20", "-O3", "-DLIBUS_NO_SSL", include, "-I" + filepath.Join(from, "src"), "-o", bin, main,
	}
	p := protoAndPort(bin)
	p.version = revision(from)
	return p, run(dir, compiler, append(append(arguments, objects...), "-lz")...)
}
