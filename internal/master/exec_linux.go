package master

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// CanBecome tells whether a process of this system can become another program that goes on in its place.
const CanBecome = true

// Become has this process become the program of an image, with these descriptors open beside the standard ones. It
// returns only if that fails: then nothing has changed.
func Become(image *Image, args, env []string, files []int) error {
	syscall.ForkLock.Lock() // else a child could get the descriptors
	defer syscall.ForkLock.Unlock()
	for _, fd := range files {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return fmt.Errorf("lineman: descriptor %d: %w", fd, os.NewSyscallError("fcntl", err))
		}
		defer unix.CloseOnExec(fd)
	}
	return notRun(syscall.Exec(image.Path(), args, env))
}

// seals keep what a sealed file has from being changed by anybody, and the seals too.
const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

// Seal is a file in memory that has these bytes for ever.
func Seal(name string, b []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", os.NewSyscallError("memfd_create", err))
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(b)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lineman: %s: %w", name, err)
	}
	return f, nil
}

// Unseal reads a file that Seal has made, and refuses any other.
func Unseal(f *os.File) ([]byte, error) {
	has, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || has&seals != seals {
		return nil, errors.New("lineman: it is no sealed file")
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("lineman: %w", err)
	}
	return io.ReadAll(io.NewSectionReader(f, 0, info.Size())) // wherever others have read
}
