package redis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/rueidis"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/redis"
)

// startSentinel starts one that watches a server.
func startSentinel(t testing.TB, master *server) *server {
	t.Helper()
	s := &server{t: t, host: "127.0.0.1"}
	t.Cleanup(s.kill)
	for range 5 {
		s.port = freePort(t)
		dir := t.TempDir()
		file := filepath.Join(dir, "sentinel.conf")
		settings := fmt.Sprintf(`bind 127.0.0.1
port %s
dir %s
user default on >guards ~* &* +@all
sentinel monitor main 127.0.0.1 %s 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
`, s.port, dir, master.port)
		if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.run(file, "--sentinel") {
			return s
		}
	}
	t.Fatal("the sentinel does not start")
	return nil
}

// TestSentinel goes where the sentinels say, when the server that they watch dies too.
func TestSentinel(t *testing.T) {
	t.Parallel()
	first := startServer(t)
	second := startServer(t, "--replicaof", first.host, first.port, "--repl-diskless-sync-delay", "0")
	sentinel := startSentinel(t, first)
	o := redis.Options{
		Addresses: []string{"127.0.0.1:1", sentinel.address()}, Master: "main", SentinelPassword: "guards",
	}
	a, b := join(t, "a", o), join(t, "b", o)
	b.subscribe("x")
	a.reaches(1, "x")
	if n := subscribers(t, first, "lineman.{0}.x"); n != 1 {
		t.Errorf("%d have subscribed at the first server", n)
	}
	linemantest.Until(t, "the sentinel does not know the replica", func() bool {
		m, err := try(t, asGuard(sentinel), "SENTINEL", "REPLICAS", "main")
		all, _ := m.ToArray()
		if err != nil || len(all) != 1 {
			return false
		}
		about, _ := all[0].AsStrMap()
		return about["master-link-status"] == "ok"
	})
	first.kill()
	for _, n := range []*node{a, b} {
		n.until("the link is down", func() bool { return n.downs > 0 })
		n.until("the link is up", func() bool { return n.ups == n.downs+1 })
	}
	a.reaches(1, "x")
	if n := subscribers(t, second, "lineman.{0}.x"); n != 1 {
		t.Errorf("%d have subscribed at the second server", n)
	}
}

func asGuard(s *server) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{s.address()}, Password: "guards"}
}
