//go:build unix && !linux

package master

import (
	"errors"
	"os"
	"time"
)

// CanBecome tells whether a process of this system can become another program that goes on in its place.
const CanBecome = false

// errCannot is what this system says: it has no files in memory that can be sealed, and executes names only.
var errCannot = errors.New("lineman: this system cannot")

// Become fails on this system.
func Become(*Image, []string, []string, []int) error { return errCannot }

// Seal fails on this system.
func Seal(string, []byte) (*os.File, error) { return nil, errCannot }

// Unseal fails on this system.
func Unseal(*os.File) ([]byte, error) { return nil, errCannot }

// HoldSignals fails on this system.
func HoldSignals([]os.Signal, time.Duration, *os.File, func()) error { return errCannot }

// letTrace does nothing on this system.
func letTrace(int) {}

// givesRights is of no interest on this system.
func (*Image) givesRights() bool { return false }
