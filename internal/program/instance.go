package program

import (
	"os"
	"path/filepath"
	"strings"
)

// An Instance is one program that runs, or could run. It is known by its files: a command finds the instance that was
// started with the same names.
type Instance struct {
	Name    string `json:"name"`     // in messages and file names; empty means that of the program's file
	PIDFile string `json:"pid_file"` // empty means ./NAME.pid
	Socket  string `json:"socket"`   // empty means ./NAME.sock
	LogFile string `json:"log"`      // empty means ./NAME.log
}

// Resolve has nothing empty, and paths that do not depend on the working folder.
func (i Instance) Resolve() Instance {
	if i.Name == "" {
		i.Name = Name()
	}
	i.PIDFile = i.file(i.PIDFile, ".pid")
	i.Socket = i.file(i.Socket, ".sock")
	i.LogFile = i.file(i.LogFile, ".log")
	return i
}

func (i Instance) file(given, extension string) string {
	if given == "" {
		given = i.Name + extension
	}
	path, err := filepath.Abs(given)
	if err != nil {
		return given // there is no working folder: whoever opens it says so
	}
	return path
}

// Name is what the program of this process is called: the base name of its file.
func Name() string { return strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") }
