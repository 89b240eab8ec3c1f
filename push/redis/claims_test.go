package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/redis"
)

// TestClaim has one of several nodes be the first to claim a name, and the others be told when that was.
func TestClaim(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}, Partitions: 3}
	ctx := context.Background()
	if _, err := newBroker(t, o).Claim(ctx, "g", "x", time.Minute); !errors.Is(err, push.ErrUnlinked) {
		t.Errorf("without a link: %v", err)
	}
	a, b := join(t, "a", o).broker, join(t, "b", o).broker
	claim := func(of *redis.Broker, group, name string) time.Duration {
		t.Helper()
		known, err := of.Claim(ctx, group, name, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return known
	}
	if known := claim(a, "g", "x"); known != 0 {
		t.Errorf("a new name is known for %v", known)
	}
	first, before := claim(b, "g", "x"), claim(a, "g", "x")
	if first <= 0 || before < first || before > time.Minute {
		t.Errorf("a name that was claimed is known for %v, and then for %v", first, before)
	}
	linemantest.Until(t, "it is not known for longer", func() bool { return claim(b, "g", "x") > first })
	for _, other := range [][2]string{{"g", "y"}, {"h", "x"}} {
		if known := claim(b, other[0], other[1]); known != 0 {
			t.Errorf("%v is known for %v", other, known)
		}
	}
	if _, err := a.Claim(ctx, "soon over", "x", 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	linemantest.Until(t, "it is not forgotten", func() bool { return claim(b, "soon over", "x") == 0 })
}
