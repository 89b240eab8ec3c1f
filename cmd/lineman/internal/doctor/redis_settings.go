package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// examine judges a server that lets this one in.
func (s *server) examine() (all []Finding) {
	all = append(all, s.rights()...)
	all = append(all, s.latency()...)
	all = append(all, s.memory()...)
	set, err := s.config("maxmemory-policy", "client-output-buffer-limit", "tcp-keepalive", "protected-mode", "bind")
	if err != nil {
		all = append(all, ok("redis settings", fmt.Sprintf("%s: not known, as it does not tell: %v", s.addr, err))...)
	}
	for _, judge := range []func(map[string]string) []Finding{s.eviction, s.outputBuffer, s.keepalive, s.exposure} {
		all = append(all, judge(set)...)
	}
	return all
}

// config asks for settings, one by one, as Redis 6 wants.
func (s *server) config(keys ...string) (map[string]string, error) {
	set := map[string]string{}
	for _, key := range keys {
		values, err := s.do(s.client.B().ConfigGet().Parameter(key).Build()).AsStrMap()
		if err != nil {
			return nil, err
		}
		if value, is := values[key]; is {
			set[key] = value
		}
	}
	return set, nil
}

// change is a command that changes a setting, now and from now on.
func (s *server) change(key, value string) string {
	cli := redisCLI(s.addr, s.settings)
	return fmt.Sprintf("%s CONFIG SET %s '%s' && %s CONFIG REWRITE", cli, key, value, cli)
}

// eviction would drop which nodes there are, and what was revoked.
func (s *server) eviction(set map[string]string) []Finding {
	const name, key, good = "redis maxmemory-policy", "maxmemory-policy", "noeviction"
	switch policy := set[key]; policy {
	case "":
		return nil
	case good:
		return ok(name, s.addr+": "+policy)
	default:
		return warn(name,
			fmt.Sprintf("%s: %s, want %s: revocations would be forgotten when memory runs out", s.addr, policy, good),
			s.change(key, good))
	}
}

// Limits under which a node that stands still for some seconds would be cut: the defaults of Redis.
const (
	pubsubHard    = 32 << 20
	pubsubSoft    = 8 << 20
	pubsubSeconds = 60
)

// outputBuffer is how much may wait for a node.
func (s *server) outputBuffer(set map[string]string) []Finding {
	const name, key = "redis client-output-buffer-limit", "client-output-buffer-limit"
	_, rest, found := strings.Cut(set[key], "pubsub ")
	f := strings.Fields(rest)
	if !found || len(f) < 3 {
		return nil
	}
	hard, soft, seconds := number(f[0]), number(f[1]), number(f[2])
	text := fmt.Sprintf("%s: pubsub %s", s.addr, strings.Join(f[:3], " "))
	if hard > 0 && hard < pubsubHard || soft > 0 && (soft < pubsubSoft || seconds < pubsubSeconds) {
		want := fmt.Sprintf("pubsub %d %d %d", pubsubHard, pubsubSoft, pubsubSeconds)
		return warn(name,
			text+", want "+want+": a node that reads slowly is cut, and misses what is published meanwhile",
			s.change(key, want))
	}
	return ok(name, text)
}

// keepalive finds nodes whose machine has gone.
func (s *server) keepalive(set map[string]string) []Finding {
	const name, key = "redis tcp-keepalive", "tcp-keepalive"
	switch seconds, known := set[key]; {
	case !known:
		return nil
	case number(seconds) == 0:
		return warn(name, s.addr+": 0: connections of machines that have gone stay for ever", s.change(key, "300"))
	default:
		return ok(name, s.addr+": "+seconds)
	}
}

// exposure is of a server that lets everybody in who reaches it.
func (s *server) exposure(set map[string]string) []Finding {
	const name, fix = "redis password", "have each application be a user of its own: docs/scaling.md; and close the " +
		"port for other machines by a firewall"
	open := set["protected-mode"] == "no" && !onLoopback(strings.Fields(set["bind"]))
	if s.settings.Password != "" {
		return ok(name, s.addr+": there is one")
	}
	if host, _, _ := net.SplitHostPort(s.addr); open || !onLoopback([]string{host}) {
		return warn(name,
			s.addr+": none, and others than this machine can reach it: whoever does can push to every page", fix)
	}
	return ok(name, s.addr+": none, and only this machine can reach it")
}

// onLoopback reports whether all of these hosts are. None stands for every one.
func onLoopback(hosts []string) bool {
	for _, h := range hosts {
		addr, err := netip.ParseAddr(strings.TrimPrefix(h, "-")) // which stands before one that may be missing
		if h != "localhost" && (err != nil || !addr.Unmap().IsLoopback()) {
			return false
		}
	}
	return len(hosts) > 0
}

// memory has room left.
func (s *server) memory() []Finding {
	const name, full = "redis memory", 80 // per cent
	all, err := s.info("memory")
	used, most := number(all["used_memory"]), number(all["maxmemory"])
	switch {
	case err != nil || used == 0:
		return ok(name, s.addr+": not known, as it does not tell")
	case most == 0:
		return ok(name, fmt.Sprintf("%s: %s used, maxmemory 0", s.addr, bytes(used)))
	}
	found := fmt.Sprintf("%s: %s used, maxmemory %s", s.addr, bytes(used), bytes(most))
	if used > most/100*full {
		return warn(name, found+": when it is full, nodes cannot register and nothing can be revoked",
			s.change("maxmemory", fmt.Sprint(2*most)))
	}
	return ok(name, found)
}
