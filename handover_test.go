package lineman_test

import "github.com/lineman-go/lineman"

// Callbacks of workers whose connections have no value, and loops no state.

func saveNothing(*lineman.Conn) ([]byte, error)           { return nil, nil }
func restoreNothing(*lineman.Conn, []byte) error          { return nil }
func saveNoState(*lineman.Loop) ([]byte, error)           { return nil, nil }
func saveNoParts(*lineman.Loop, func([]byte) error) error { return nil }
func restoreNoState(*lineman.Loop, []byte) error          { return nil }
