package main

import (
	"errors"
	"os"
	"time"

	"github.com/lineman-go/lineman"
)

// handsOver has the connections of a worker cross to the next process, unless a file says that something goes wrong.
func handsOver(w *lineman.Worker) {
	w.SaveState = func(*lineman.Loop) ([]byte, error) {
		waitIn("SaveState")
		exitIf("exit-in-SaveState")
		return []byte("state"), refuse("fail-in-SaveState")
	}
	w.RestoreState = func(_ *lineman.Loop, state []byte) error {
		if string(state) != "state" {
			return errors.New("the state is another one")
		}
		waitIn("RestoreState")
		exitIf("exit-in-RestoreState")
		return refuse("fail-in-RestoreState")
	}
	w.Save = func(c *lineman.Conn) ([]byte, error) {
		waitIn("Save")
		if c.Value() == "stays" {
			return nil, errors.New("it wants to stay")
		}
		return nil, refuse("fail-in-Save")
	}
	w.Restore = func(*lineman.Conn, []byte) error {
		waitIn("Restore")
		exitIf("exit-in-Restore")
		return refuse("fail-in-Restore")
	}
}

// waitIn waits in a callback as long as a file says so, and says by another one that it does.
func waitIn(callback string) {
	for first := true; there("wait-in-" + callback); first = false {
		if first {
			_ = os.WriteFile("waits-in-"+callback, nil, 0o600) // the test sees that there is none
		}
		time.Sleep(time.Millisecond)
	}
}

func exitIf(file string) {
	if there(file) {
		os.Exit(7)
	}
}
