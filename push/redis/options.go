package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Options are how a Broker works. The zero value with Addresses will do.
type Options struct {
	// Addresses are host:port of the server; with Master of sentinels, and with Cluster of some nodes: one that lives
	// is enough.
	Addresses []string

	Master string // the name by which the sentinels know the server; empty means no sentinels
	// the servers are a Redis Cluster: a connection for each partition, and sharded pub/sub, so Redis 7 or Valkey
	Cluster bool

	Username, Password                 string // of an ACL user; only a password is that of the default user
	SentinelUsername, SentinelPassword string
	TLS                                *tls.Config // nil means none; of sentinels too

	// Database is where keys are. Publications are the same for all databases, so two apps are kept apart by Prefix
	// only.
	Database int

	// Prefix begins the name of everything in Redis: A-Z, a-z, 0-9, "_" and "-", at most 64. Apps with different ones
	// never hear each other. The default is "lineman".
	Prefix string

	// Partitions are into how many parts the targets are divided, each with an order of its own if in a Cluster: 1 to
	// 1024, the same on all nodes. The default is 1.
	Partitions int

	// Answer is how long other nodes may take to tell what became of a publication, or to answer a question. The
	// default is 1 s.
	Answer time.Duration

	// Log hears when the link breaks and when it is up again. nil means slog.Default(), as it is when a node joins.
	Log *slog.Logger

	patience time.Duration // of both sides of a handover
}

var prefixes = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// complete puts defaults in, and tells what is wrong.
func (o *Options) complete() error {
	if o.Prefix == "" {
		o.Prefix = "lineman"
	}
	if o.Partitions == 0 {
		o.Partitions = 1
	}
	if o.Answer == 0 {
		o.Answer = time.Second
	}
	if o.patience == 0 {
		o.patience = patience
	}
	switch {
	case len(o.Addresses) == 0:
		return errors.New("redis: no address: give host:port of a server")
	case o.Master != "" && o.Cluster:
		return errors.New("redis: sentinels know no Cluster: set Master or Cluster, not both")
	case len(o.Addresses) > 1 && o.Master == "" && !o.Cluster:
		return errors.New("redis: several addresses are of sentinels or of a Cluster: set Master or " +
			"Cluster, or give one")
	case o.Cluster && o.Database != 0:
		return errors.New("redis: a Cluster has database 0 only")
	case o.Database < 0:
		return fmt.Errorf("redis: no database is called %d", o.Database)
	case !prefixes.MatchString(o.Prefix):
		return fmt.Errorf("redis: the prefix %q: want 1 to 64 of A-Z, a-z, 0-9, _ and -", o.Prefix)
	case o.Partitions < 1 || o.Partitions > 1024:
		return fmt.Errorf("redis: %d partitions: want 1 to 1024", o.Partitions)
	case o.Answer < 0:
		return fmt.Errorf("redis: nodes cannot answer within %v: want more than 0", o.Answer)
	}
	return nil
}

// shards are how many pairs of connections a link needs.
func (o *Options) shards() int {
	if o.Cluster {
		return o.Partitions
	}
	return 1
}

// settings are what all nodes have to agree on. A node that keeps no history would publish without positions,
// and one without presence would not be known.
func (o *Options) settings(history, presence bool) string {
	text := fmt.Sprintf("format=%d,partitions=%d,cluster=%v", version, o.Partitions, o.Cluster)
	if history {
		text += ",history=true"
	}
	if presence {
		text += ",presence=true"
	}
	return text
}
