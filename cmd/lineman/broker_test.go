package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/token"
)

// TestBroker makes a broker of the settings, or says which of them is wrong.
func TestBroker(t *testing.T) {
	folder := t.TempDir()
	cert, key := linemantest.CertificateFiles(t, folder)
	empty := filepath.Join(folder, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := config.Default().Redis
	good.Addresses = []string{"127.0.0.1:6379"}
	with := func(change func(*config.Redis)) config.Redis {
		c := good
		change(&c)
		return c
	}
	for name, want := range map[string]struct {
		redis config.Redis
		err   string
	}{
		"plain":            {good, ""},
		"TLS":              {with(func(c *config.Redis) { c.TLS, c.CA, c.Cert, c.Key = true, cert, cert, key }), ""},
		"a CA without PEM": {with(func(c *config.Redis) { c.TLS, c.CA = true, empty }), "redis.ca: " + empty},
		"a CA that is no file": {with(func(c *config.Redis) { c.TLS, c.CA = true, empty+"x" }),
			"no such file"},
		"a key that is none": {with(func(c *config.Redis) { c.TLS, c.Cert, c.Key = true, cert, cert }), "certificate"},
		"two servers": {with(func(c *config.Redis) { c.Addresses = append(c.Addresses, "127.0.0.1:6380") }),
			"Master or Cluster"},
	} {
		b, err := newBroker(want.redis)
		if want.err == "" && (err != nil || b == nil) ||
			want.err != "" && (err == nil || !strings.Contains(err.Error(), want.err)) {
			t.Errorf("%s: %v, want %q", name, err, want.err)
		}
	}
}

// among keeps revocations for nodes that share them.
type among struct {
	revoked map[string]int64
	err     error
}

func (a *among) Revoke(_ context.Context, uid string, at time.Time) error {
	a.revoked[uid] = at.Unix()
	return a.err
}

func (a *among) Restore(_ context.Context, revoked map[string]int64) error {
	maps.Copy(a.revoked, revoked)
	return a.err
}

func (a *among) Revocations(context.Context) (map[string]int64, error) { return a.revoked, a.err }

// TestSharedRevocations keeps what is revoked among the nodes, and learns from them, each revocation once.
func TestSharedRevocations(t *testing.T) {
	ctx := context.Background()
	const secret = "a secret of this test only"
	shared := &among{revoked: map[string]int64{}}
	c := config.Default().Token
	c.Secrets, c.Revocations = []string{secret}, filepath.Join(t.TempDir(), "must not be made")
	who, err := openCredentials(c, shared)
	if err != nil {
		t.Fatal(err)
	}
	defer who.Close()
	signer, err := token.NewSigner(token.Key{Secret: []byte(secret)}, "HS256")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	good := func(uid string) bool {
		credential, err := signer.Sign(token.Claims{UID: uid, Issued: now, Expires: now.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = who.Verify(ctx, credential)
		if err != nil && !errors.Is(err, token.ErrRevoked) {
			t.Error(err)
		}
		return err == nil
	}
	refresh := func(want ...string) {
		t.Helper()
		uids, restored, err := who.Refresh(ctx)
		slices.Sort(uids)
		if restored {
			uids = append(uids, "put back")
		}
		if err != nil || !slices.Equal(uids, want) {
			t.Errorf("learned of %q, %v; want %q", uids, err, want)
		}
	}
	if err := who.Revoke(ctx, "ann", now); err != nil || shared.revoked["ann"] != now.Unix() || !good("ann") {
		t.Errorf("it is to be kept there, and learned when the nodes are told: %v, %v", err, shared.revoked)
	}
	who.Learn("ann", now)
	if good("ann") {
		t.Error("a node that was told takes the credential")
	}
	refresh()
	shared.revoked["bob"] = now.Unix()
	shared.revoked["ann"] = now.Unix() + 1
	refresh("ann", "bob")
	refresh()
	if good("bob") || !good("carl") {
		t.Error("bob's credential is good, or carl's is not")
	}
	delete(shared.revoked, "bob")
	shared.revoked["ann"]--
	refresh("put back") // as Redis has come back with something old, or empty
	if shared.revoked["bob"] != now.Unix() || shared.revoked["ann"] != now.Unix()+1 {
		t.Errorf("there is %v", shared.revoked)
	}
	refresh()
	shared.err = errors.New("away")
	if err := who.Revoke(ctx, "carl", now); !errors.Is(err, shared.err) {
		t.Errorf("revoked while it cannot be kept: %v", err)
	}
	if _, err := os.Stat(c.Revocations); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}
