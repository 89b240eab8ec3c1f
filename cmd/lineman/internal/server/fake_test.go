package server_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// credentials are those of a test: nobody called bob can be revoked.
type credentials struct {
	verify  func(context.Context, string) (server.Identity, error)
	closed  atomic.Bool
	learned atomic.Value // a uid
	missed  atomic.Value // a uid that others have revoked
	away    atomic.Bool  // what was revoked cannot be read
	lost    atomic.Bool  // something is to be put back
	reads   atomic.Int64 // of what was revoked
	quick   bool
}

func (c *credentials) IsQuick() bool { return c.quick }

func (c *credentials) Verify(ctx context.Context, credential string) (server.Identity, error) {
	return c.verify(ctx, credential)
}

func (c *credentials) Revoke(_ context.Context, uid string, _ time.Time) error {
	if uid == "bob" {
		return errors.New("the disk is full")
	}
	return nil
}

func (c *credentials) Learn(uid string, _ time.Time) { c.learned.Store(uid) }

func (c *credentials) Revoked() map[string]int64 { return nil }

func (c *credentials) Refresh(context.Context) (uids []string, restored bool, err error) {
	if c.away.Load() {
		return nil, false, errors.New("nothing can be read")
	}
	c.reads.Add(1)
	if uid, ok := c.missed.Load().(string); ok {
		uids = []string{uid}
	}
	return uids, c.lost.Swap(false), nil
}

func (c *credentials) Close() error {
	if c.closed.Swap(true) {
		return errors.New("it was closed twice")
	}
	return nil
}

func open(verify func(context.Context, string) (server.Identity, error)) func() (server.Credentials, error) {
	return func() (server.Credentials, error) { return &credentials{verify: verify}, nil }
}

// secret takes "secret-UID" for the credential of a uid.
func secret(_ context.Context, credential string) (server.Identity, error) {
	uid, ok := strings.CutPrefix(credential, "secret-")
	if !ok {
		return server.Identity{}, errors.New("that is no credential")
	}
	return server.Identity{
		UID: uid, Channels: []string{"news", "chat:*", "shut:x", "shut:*"}, Groups: []string{"staff"},
	}, nil
}

// openQuick is open of what may be asked on the loop.
func openQuick(verify func(context.Context, string) (server.Identity, error)) func() (server.Credentials, error) {
	return func() (server.Credentials, error) { return &credentials{verify: verify, quick: true}, nil }
}
