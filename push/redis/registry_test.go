package redis_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/redis"
)

const registryKey = "lineman.{0}:nodes"

// TestRegistry has a node be known while it is there, and not a moment longer when it leaves.
func TestRegistry(t *testing.T) {
	m := miniredis.RunT(t)
	o := redis.Options{Addresses: []string{m.Addr()}}
	a, b := join(t, "a", o), join(t, "b", o)
	if keys, _ := m.HKeys(registryKey); len(keys) != 2 {
		t.Errorf("the registry has %q", keys)
	}
	if n := b.broker.Stats().Nodes; n != 2 {
		t.Errorf("b knows %d nodes", n)
	}
	if ttl := m.TTL(registryKey); ttl <= 0 || ttl > time.Minute {
		t.Errorf("the registry is kept for %v", ttl)
	}
	a.close()
	if keys, _ := m.HKeys(registryKey); len(keys) != 1 || keys[0] != "b" {
		t.Errorf("the registry has %q", keys)
	}
}

// TestStale ends the connections of a node that is dead, and of nobody else.
func TestStale(t *testing.T) {
	s := startServer(t)
	stale, ended := subscriber(t, s.address(), "lineman.{0}.x")
	bystander, spared := subscriber(t, s.address(), "lineman.{0}.x")
	identity := func(info string) (id, address string) {
		for _, field := range strings.Fields(strings.TrimPrefix(info, "txt:")) {
			if v, ok := strings.CutPrefix(field, "id="); ok {
				id = v
			}
			if v, ok := strings.CutPrefix(field, "addr="); ok {
				address = v
			}
		}
		return id, address
	}
	info, err := stale.Do(context.Background(), stale.B().ClientInfo().Build()).ToString()
	if err != nil {
		t.Fatal(err)
	}
	id, address := identity(info)
	if info, err = bystander.Do(context.Background(), bystander.B().ClientInfo().Build()).ToString(); err != nil {
		t.Fatal(err)
	}
	other, _ := identity(info)
	long := time.Now().Add(-time.Hour).UnixMilli()
	note := func(node, id, address string) {
		do(t, s.address(), "HSET", registryKey, node,
			fmt.Sprintf(`%d format=1,partitions=1,cluster=false [{"id":%s,"address":%q}]`, long, id, address))
	}
	note("dead", id, address)
	note("of another time", other, "192.0.2.1:5") // the server has begun anew with its numbers
	do(t, s.address(), "HSET", registryKey, "nonsense", "x")
	n := join(t, "a", redis.Options{Addresses: []string{s.address()}})
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the connection of the dead node is there")
	}
	if got := subscribers(t, s, "lineman.{0}.x"); got != 1 {
		t.Errorf("%d connections have subscribed, want 1", got)
	}
	select {
	case <-spared:
		t.Error("a connection that is none of the dead node's was ended")
	default:
	}
	if st := n.broker.Stats(); st.Stale != 1 || st.Nodes != 1 {
		t.Errorf("the counters are %+v", st)
	}
}

// TestMachineDies has the others be rid of a node that says nothing more, as one whose machine has died.
func TestMachineDies(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := newProxy(t, s.address())
	a, b := join(t, "a", redis.Options{Addresses: []string{s.address()}}),
		join(t, "b", redis.Options{Addresses: []string{p.address()}})
	b.subscribe("x")
	linemantest.Until(t, "the registry does not know b's connection", func() bool {
		m := do(t, s.address(), "HGET", registryKey, "b")
		text, _ := m.ToString()
		return strings.Contains(text, `"id"`)
	})
	p.Swallow()
	began := time.Now()
	linemantest.Until(t, "somebody has subscribed", func() bool { return subscribers(t, s, "lineman.{0}.x") == 0 })
	if took := time.Since(began); took > 18*time.Second { // it takes 8, and the machine may be busy
		t.Errorf("it took %v", took)
	}
	a.reaches(0, "x")
	linemantest.Until(t, "a does not know that it is alone", func() bool { return a.broker.Stats().Nodes == 1 })
	p.Mend()
	b.until("it is back", func() bool { return b.downs > 0 && b.ups == b.downs+1 })
	a.reaches(1, "x")
}

// TestSettings keeps a node out whose settings are not those of the others, and lets it in when they are gone.
func TestSettings(t *testing.T) {
	m := miniredis.RunT(t)
	o := redis.Options{Addresses: []string{m.Addr()}}
	a := join(t, "a", o)
	log := &journal{}
	o.Partitions, o.Log = 4, log.logger()
	b := enter(t, "b", o)
	linemantest.Until(t, "the log does not say it", func() bool { return log.String() != "" })
	for _, want := range []string{"node a format=1,partitions=1,cluster=false", "format=1,partitions=4,cluster=false"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not name %q:\n%s", want, log)
		}
	}
	b.loop.Await(func() {
		if b.ups > 0 {
			t.Error("it is linked")
		}
	})
	a.close()
	b.until("the link is up", func() bool { return b.ups == 1 })
}

// TestRevocations keeps the latest of each uid, for all nodes.
func TestRevocations(t *testing.T) {
	m := miniredis.RunT(t)
	o := redis.Options{Addresses: []string{m.Addr()}}
	a, b := join(t, "a", o), join(t, "b", o)
	ctx := context.Background()
	want := map[string]int64{}
	for i := range 2500 {
		uid := fmt.Sprintf("uid %d", i)
		want[uid] = int64(1000 + i)
		for _, seconds := range []int64{999, want[uid], 5} {
			if i%100 > 0 && seconds != want[uid] {
				continue
			}
			if err := a.broker.Revoke(ctx, uid, time.Unix(seconds, 999_999_999)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, err := b.broker.Revocations(ctx)
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%d revocations, %v; want %d", len(got), err, len(want))
	}
}

// TestRevocationsUnread passes over what cannot be read, tells the log, and has it be put right by the next revocation.
func TestRevocationsUnread(t *testing.T) {
	m := miniredis.RunT(t)
	log := &journal{}
	a := join(t, "a", redis.Options{Addresses: []string{m.Addr()}, Log: log.logger()})
	ctx := context.Background()
	const key = "lineman.{0}:revoked"
	bad := []string{"", "x", "1e9", "inf", "nan", "0x7f", "-1", " 5", "99999999999999999999", "253402300800", "5.0"}
	for i, value := range bad {
		m.HSet(key, fmt.Sprint("bad", i), value)
	}
	m.HSet(key, "good", "1000")
	got, err := a.broker.Revocations(ctx)
	if want := map[string]int64{"good": 1000}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, want := range []string{"bad", key, fmt.Sprint("count=", len(bad))} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not name %q:\n%s", want, log)
		}
	}
	for i := range bad {
		if err := a.broker.Revoke(ctx, fmt.Sprint("bad", i), time.Unix(2000, 0)); err != nil {
			t.Errorf("%q: %v", bad[i], err)
		}
	}
	if got, err = a.broker.Revocations(ctx); err != nil || len(got) != len(bad)+1 || got["bad0"] != 2000 {
		t.Errorf("%v, %v", got, err)
	}
	m.Del(key)
	m.Set(key, "no hash at all")
	if got, err = a.broker.Revocations(ctx); err == nil {
		t.Errorf("they were read as %v", got)
	}
}

// TestRestore puts many revocations back, and takes nothing back.
func TestRestore(t *testing.T) {
	m := miniredis.RunT(t)
	a := join(t, "a", redis.Options{Addresses: []string{m.Addr()}})
	ctx := context.Background()
	want := map[string]int64{}
	for i := range 1234 {
		want[fmt.Sprint(i)] = 1000
	}
	if err := a.broker.Revoke(ctx, "7", time.Unix(1001, 0)); err != nil {
		t.Fatal(err)
	}
	for _, some := range []map[string]int64{want, {}, nil} {
		if err := a.broker.Restore(ctx, some); err != nil {
			t.Error(err)
		}
	}
	want["7"] = 1001
	if got, err := a.broker.Revocations(ctx); err != nil || !maps.Equal(got, want) {
		t.Errorf("%d revocations, %v; want %d", len(got), err, len(want))
	}
}
