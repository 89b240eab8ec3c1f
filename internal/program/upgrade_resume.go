//go:build unix

package program

import (
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/lineman-go/lineman/internal/master"
)

// goOn is the life of a master that has become this program, from there on. Signals are heeded once all is in place.
func (p *Program) goOn(sealed *os.File) error {
	r := &running{Program: p, log: &Log{}}
	r.attend()
	defer signal.Stop(r.signals)
	s, err := openState(sealed)
	if err != nil {
		return err
	}
	r.daemon, r.hangsUp, r.files, r.path = s.Daemon, s.HangsUp, s.Files != nil, s.Path
	r.began, r.reloads = s.Began, s.Reloads
	if r.daemon {
		r.log.BecomeDaemon()
	}
	master.Rename(Name())
	r.log.SetDefault(r.LogHandler, "process", "master")
	err = r.resume(s)
	if err != nil {
		slog.Error("lineman: the master cannot go on as the new program: " + master.Bare(err).Error())
	}
	return err
}

func openState(sealed *os.File) (*savedMaster, error) {
	defer sealed.Close()
	text, err := master.Unseal(sealed)
	if err != nil {
		return nil, err
	}
	s, err := parseMaster(text, os.Getpid())
	if err == nil && s.Supervisor == nil {
		err = errors.New("lineman: the state of the master has no processes")
	}
	return s, err
}

// resume puts all in place, and returns when every process has ended.
func (r *running) resume(s *savedMaster) (err error) {
	if err := s.fits(r.Program); err != nil {
		return err
	}
	if r.workers, err = r.Workers(); err != nil {
		return err
	}
	if r.files {
		if err := r.log.Use(os.NewFile(uintptr(s.Files.Log), r.LogFile)); err != nil {
			return err
		}
		r.pidFile = continuePIDFile(s.Files.PIDFile, r.PIDFile)
		defer r.release()
	}
	if err := r.supervise(s); err != nil {
		return err
	}
	if r.files {
		if r.control, err = continueControl(s.Files.Control, SocketPath(r.Socket), r.answer); err != nil {
			return err
		}
		defer r.control.Close()
	}
	if r.files {
		if err := r.reopen(); err != nil { // if signals are not held, one for that may have come at the wrong time
			slog.Error(err.Error())
		}
	}
	go r.heed()
	r.announce(s)
	<-r.stopped
	return r.finish(nil)
}

// supervise goes on with the processes.
func (r *running) supervise(s *savedMaster) (err error) {
	if r.host, err = master.NewHost(os.Args, workerVariable, nil); err != nil {
		return err
	}
	if s.Holder != nil {
		if err := r.host.Release(*s.Holder); err != nil {
			return err
		}
	}
	if err := r.host.Inherit(s.Activated); err != nil {
		return err
	}
	r.environ = os.Environ()
	r.supervisor, err = master.Restore(r.config(nil), *s.Supervisor)
	return err
}

// announce says to all who wait for it that the master goes on.
func (r *running) announce(s *savedMaster) {
	slog.Info("lineman: the master runs the new program")
	r.tellManager()
	if s.Asker != nil {
		if err := answerClient(*s.Asker, s.Answer); err != nil {
			slog.Warn("lineman: who asked for the reload could not be told", "error", err)
		}
	}
}

// continuePIDFile is the pid file whose open descriptor this is, and with it the lock.
func continuePIDFile(fd int, path string) *PIDFile {
	syscall.CloseOnExec(fd)
	return &PIDFile{file: os.NewFile(uintptr(fd), path), path: path}
}
