//go:build unix

package program

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/lineman-go/lineman/internal/master"
)

// candidate starts a process of the program in an image, and asks it whether it could go on as the master; nil if it
// is the program of this master, or knows nothing of that. An error means that it would not, and why.
func (r *running) candidate(image *master.Image) (*master.Candidate, error) {
	own, err := master.RunningImage()
	if err != nil {
		return nil, err
	}
	defer own.Close()
	if !master.CanBecome || own.Same(image) {
		return nil, nil
	}
	c, err := r.supervisor.Candidate(image)
	if c == nil || err != nil {
		return nil, err
	}
	question := &savedMaster{Version: stateVersion, PID: os.Getpid(), Instance: r.Instance}
	if r.files {
		question.Files = &savedFiles{}
	}
	sealed, err := question.seal()
	if err == nil {
		defer sealed.Close()
		err = c.Check(sealed)
	}
	if err != nil {
		c.End()
		return nil, err
	}
	return c, nil
}

// become has this process be the program of the candidate, which its processes run already. It returns only if that
// fails, and then this master goes on. Else the program that it becomes gives the client of ctx the answer.
//
//	commands wait ──▶ signals wait ──▶ the Supervisor rests ──▶ the candidate checks the state ──▶ exec
//	                   any failure: all go on, in the opposite order
func (r *running) become(ctx context.Context, c *master.Candidate, answer *reply) error {
	err := r.tryBecome(ctx, c, answer)
	err = fmt.Errorf("lineman: the processes run the new program, and the master still the old: %w", master.Bare(err))
	slog.Error(err.Error())
	return err
}

func (r *running) tryBecome(ctx context.Context, c *master.Candidate, answer *reply) error {
	asker := clientOf(ctx)
	if r.control != nil {
		if err := r.quietControl(asker); err != nil {
			return err
		}
		defer r.control.Resume()
	}
	heedAgain, err := r.heedNothing()
	if err != nil {
		return err
	}
	defer heedAgain()
	rest, err := r.supervisor.Suspend()
	if err != nil {
		return err
	}
	defer rest.End()
	image, err := rest.Image()
	if err != nil {
		return err
	}
	s, err := r.save(rest, asker, answer)
	if err != nil {
		return err
	}
	holder, err := c.Holder()
	if err != nil {
		return err
	}
	defer holder.Release()
	saved := holder.Saved()
	s.Holder = &saved
	return r.exec(s, c, holder, image)
}

// quietControl has nobody be answered but who waits for this.
func (r *running) quietControl(asker *client) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.supervisor.Stopping():
			cancel()
		case <-ctx.Done():
		}
	}()
	spared := 0
	if asker != nil {
		spared = 1
	}
	return r.control.Suspend(ctx, spared)
}

// save is what the next program needs to know.
func (r *running) save(rest *master.Rest, asker *client, answer *reply) (*savedMaster, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &savedMaster{
		Version: stateVersion, PID: os.Getpid(), Instance: r.Instance, Path: r.path, Daemon: r.daemon,
		HangsUp: r.hangsUp, Began: r.began, Reloads: r.reloads, Activated: r.host.Activated(),
		Supervisor: &rest.Saved,
	}
	if r.files {
		control, err := descriptorOf(r.control.listener)
		if err != nil {
			return nil, err
		}
		s.Files = &savedFiles{PIDFile: int(r.pidFile.file.Fd()), Log: r.log.fd(), Control: control}
	}
	if asker != nil {
		fd, err := descriptorOf(asker.conn)
		if err != nil {
			return nil, err
		}
		s.Asker = &fd
	}
	var err error
	s.Answer, err = json.Marshal(answer)
	return s, err
}

func (s *savedMaster) seal() (*os.File, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("lineman: the state of the master: %w", err)
	}
	return master.Seal("lineman-master", text)
}

// exec has the candidate look at the state as it is, and hold signals, and has this process become the program.
func (r *running) exec(s *savedMaster, c *master.Candidate, holder *master.Holder, image *master.Image) error {
	sealed, err := s.seal()
	if err != nil {
		return err
	}
	defer sealed.Close()
	if err := c.Check(sealed); err != nil {
		return err
	}
	if err := holder.Hold(); err != nil {
		slog.Warn(err.Error())
	}
	hear, err := r.deafen()
	if err != nil {
		return err
	}
	defer hear()
	fd := int(sealed.Fd())
	env := append(slices.Clone(r.environ), fmt.Sprintf("%s=%d", masterVariable, fd))
	return master.Become(image, os.Args, env, append(s.descriptors(), fd))
}
