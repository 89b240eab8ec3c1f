package doctor

import (
	"io"
	"net"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// TestRedis is of a server that tells little, and of none.
func TestRedis(t *testing.T) {
	s := miniredis.RunT(t)
	try(t, redis,
		trial{name: "none"},
		trial{name: "another product", change: at(s.Addr(), nil), verdict: OK,
			found: "redis " + s.Addr() + ": miniredis "},
	)
	m, _ := good()
	o := wanted()
	at(s.Addr(), nil)(m, &o)
	told := map[string]Finding{}
	for _, f := range redis(m, &o) {
		told[f.Check] = f
	}
	for _, check := range []string{"redis latency", "redis settings", "redis memory", "redis password"} {
		if told[check].Verdict != OK {
			t.Errorf("%s: %+v", check, told[check])
		}
	}

	s.RequireUserAuth("push", "secret")
	try(t, redis,
		trial{name: "a wrong password", change: at(s.Addr(), func(r *Redis) { r.User, r.Password = "push", "wrong" }),
			verdict: Fail, found: "does not know the user push by this password"},
	)
	addr := s.Addr()
	s.Close()
	_, port, _ := net.SplitHostPort(addr)
	try(t, redis, trial{
		name: "closed", change: at(addr, nil), verdict: Fail, found: addr + ": connection refused",
		fix: "redis-cli -h 127.0.0.1 -p " + port + " PING",
	})
}

// TestExposure knows who can reach a server from what it listens on.
func TestExposure(t *testing.T) {
	for _, c := range []struct {
		addr, password, protected, bind string
		want                            Verdict
	}{
		{"127.0.0.1:6379", "", "yes", "* -::*", OK},
		{"127.0.0.1:6379", "", "no", "127.0.0.1 -::1", OK},
		{"127.0.0.1:6379", "", "no", "* -::*", Warn},
		{"127.0.0.1:6379", "", "no", "", Warn},
		{"127.0.0.1:6379", "", "", "", OK}, // not told
		{"10.0.0.1:6379", "", "", "", Warn},
		{"redis.example.com:6379", "", "yes", "*", Warn},
		{"10.0.0.1:6379", "secret", "no", "*", OK},
	} {
		s := &server{settings: &Redis{Password: c.password}, addr: c.addr}
		set := map[string]string{}
		if c.protected != "" {
			set["protected-mode"], set["bind"] = c.protected, c.bind
		}
		if got := s.exposure(set); len(got) != 1 || got[0].Verdict != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// TestIdentity knows what is old, and Valkey.
func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		version, mode string
		cluster       bool
		want          Verdict
	}{
		{"6.0.16", "standalone", false, Fail}, {"6.2.0", "standalone", false, OK}, {"7.0.15", "standalone", false, OK},
		{"10.1", "standalone", false, OK}, {"unknown", "standalone", false, OK}, {"6.2.14", "cluster", true, Fail},
		{"7.0.0", "cluster", true, OK},
	} {
		s := &server{
			settings: &Redis{Cluster: c.cluster},
			about:    map[string]string{"server": "redis", "version": c.version, "mode": c.mode, "role": "master"},
		}
		if got := s.judge("redis", c.version); len(got) != 1 || got[0].Verdict != c.want {
			t.Errorf("%+v: %+v", c, got)
		}
	}
	s := &server{settings: &Redis{}, about: map[string]string{"mode": "standalone"}}
	if got := s.judge("valkey", "1.0"); got[0].Verdict != OK {
		t.Errorf("%+v", got)
	}
}

// TestRedisLies lives through a server that says more than it was asked.
func TestRedisLies(t *testing.T) {
	for _, says := range []string{"+OK\r\n+OK\r\n", "*2000000000\r\n", "%-1\r\n", "-MOVED\r\n"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, says)
				_ = c.Close()
			}
		}()
		try(t, redis, trial{name: says, change: at(l.Addr().String(), nil), verdict: Fail, found: l.Addr().String()})
		l.Close()
		<-ended
	}
}
