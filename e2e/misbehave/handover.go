package main

import (
	"errors"
	"os"

	"github.com/lineman-go/lineman"
)

// handsOver has the connections of a worker cross to the next process, unless a file says that something goes wrong.
func handsOver(w *lineman.Worker) {
	w.SaveState = func(*lineman.Loop) ([]byte, error) {
		exitIf("exit-in-SaveState")
		return []byte("state"), refuse("fail-in-SaveState")
	}
	w.RestoreState = func(_ *lineman.Loop, state []byte) error {
		if string(state) != "state" {
			return errors.New("the state is another one")
		}
		exitIf("exit-in-RestoreState")
		return refuse("fail-in-RestoreState")
	}
	w.Save = func(c *lineman.Conn) ([]byte, error) {
		if c.Value() == "stays" {
			return nil, errors.New("it wants to stay")
		}
		return nil, refuse("fail-in-Save")
	}
	w.Restore = func(*lineman.Conn, []byte) error {
		exitIf("exit-in-Restore")
		return refuse("fail-in-Restore")
	}
}

func exitIf(file string) {
	if there(file) {
		os.Exit(7)
	}
}
