package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/push/token"
)

// credentials tell who a page is, as the settings say.
type credentials struct {
	verifier    *token.Verifier
	revocations *token.Revocations
	shared      shared // nil: they are kept in a file
	skew        time.Duration
}

// shared keeps revocations for all nodes: *redis.Broker does.
type shared interface {
	Revoke(ctx context.Context, uid string, at time.Time) error
	Revocations(ctx context.Context) (seconds map[string]int64, err error)
	Restore(ctx context.Context, seconds map[string]int64) error
}

// openCredentials reads the keys and, unless they are shared, the revocations.
func openCredentials(c config.Token, among shared) (server.Credentials, error) {
	revocations := &token.Revocations{}
	if among == nil {
		var err error
		if revocations, err = token.OpenRevocations(c.Revocations); err != nil {
			return nil, err
		}
	}
	verifier, err := newVerifier(c, revocations)
	if err != nil {
		return nil, errors.Join(err, revocations.Close())
	}
	return &credentials{verifier, revocations, among, c.Skew}, nil
}

// newVerifier makes what checks credentials as the settings say.
func newVerifier(c config.Token, revocations *token.Revocations) (*token.Verifier, error) {
	keys, err := tokenKeys(c)
	if err != nil {
		return nil, err
	}
	skew := c.Skew
	if skew == 0 {
		skew = -1 // none, as the settings say
	}
	return token.New(token.Options{
		Keys: keys, JWKS: c.JWKS, Algorithms: c.Algorithms, Audience: c.Audience, Issuer: c.Issuer,
		Claim: c.Claim, Skew: skew,
		Revocations: revocations,
	})
}

// tokenKeys are those that check credentials.
func tokenKeys(c config.Token) (keys []token.Key, err error) {
	for _, s := range c.Secrets {
		keys = append(keys, token.Key{Secret: []byte(s)})
	}
	for _, name := range c.PublicKeys {
		text, err := readRegular(name)
		if err != nil {
			return nil, fmt.Errorf("token.public_keys: %w", err)
		}
		keys = append(keys, token.Key{PEM: text})
	}
	return keys, nil
}

func (c *credentials) IsQuick() bool { return c.verifier.IsQuick() }

func (c *credentials) Verify(ctx context.Context, credential string) (server.Identity, error) {
	said, err := c.verifier.Verify(ctx, credential)
	if err != nil {
		return server.Identity{}, err
	}
	return server.Identity{
		UID: said.UID, Channels: said.Channels, Publish: said.Publish, Groups: said.Groups,
		Expires: said.Expires.Add(c.skew), Info: said.Info,
	}, nil
}

func (c *credentials) Revoke(ctx context.Context, uid string, at time.Time) error {
	if c.shared == nil {
		return c.revocations.Revoke(uid, at)
	}
	return c.shared.Revoke(ctx, uid, at)
}

func (c *credentials) Learn(uid string, at time.Time) {
	if c.shared != nil {
		_ = c.revocations.Revoke(uid, at) // in memory, and the Hub has checked the uid
	}
}

func (c *credentials) Revoked() map[string]int64 {
	if c.shared == nil {
		return nil // they are in the file
	}
	return c.revocations.All()
}

func (c *credentials) Refresh(ctx context.Context) (uids []string, restored bool, err error) {
	if c.shared == nil {
		return nil, false, nil
	}
	all, err := c.shared.Revocations(ctx)
	if err != nil {
		return nil, false, err
	}
	for uid, seconds := range all {
		if at := time.Unix(seconds, 0); !c.revocations.Revoked(uid, at) && c.revocations.Revoke(uid, at) == nil {
			uids = append(uids, uid)
		}
	}
	lost := c.revocations.All()
	maps.DeleteFunc(lost, func(uid string, seconds int64) bool { known, ok := all[uid]; return ok && known >= seconds })
	if len(lost) == 0 {
		return uids, false, nil
	}
	return uids, true, c.shared.Restore(ctx, lost)
}

func (c *credentials) Close() error {
	c.verifier.Close()
	return c.revocations.Close()
}
