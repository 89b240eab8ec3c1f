package doctor

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// rights are those that the user of this server needs. Each command is tried with names of our own that nobody has, so
// that it changes nothing: any answer but that it may not is a good one.
func (s *server) rights() []Finding {
	const name = "redis rights"
	missing, err := s.lacks(s.needed())
	if err != nil {
		return fail(name, s.addr+": "+err.Error(), redisCLI(s.addr, s.settings)+" PING tells whether it runs")
	}
	if len(missing) > 0 {
		return fail(name, fmt.Sprintf("%s: the user %s lacks %s", s.addr, s.user(), strings.Join(missing, " ")),
			s.permit(missing...))
	}
	missing, err = s.lacks(s.wished())
	if err == nil && len(missing) > 0 {
		return warn(name,
			fmt.Sprintf("%s: the user %s lacks %s: it is told late, or not, that a node has gone", s.addr, s.user(),
				strings.Join(missing, " ")), s.permit(missing...))
	}
	return ok(name, s.addr+": all that are needed")
}

// tried is what a name of our own is called by. A Redis Cluster wants braces.
func (s *server) tried() string { return s.settings.Prefix + ".{0}:doctor" }

// needed are commands without which nothing works. Unsubscribing is not tried: rueidis panics where the answer comes in
// another order than that of Redis.
func (s *server) needed() []rueidis.Completed {
	b, at := s.client.B(), s.tried()
	all := []rueidis.Completed{
		b.Ping().Build(),
		b.Time().Build(),
		b.Eval().Script("return 0").Numkeys(1).Key(at).Build(),
		b.Hget().Key(at).Field("a").Build(),
		b.Arbitrary("HSET").Keys(at).Args("a", "b", "c").Build(), // refused for its form, once it is allowed
		b.Hdel().Key(at).Field("a").Build(),
		b.Hgetall().Key(at).Build(),
		b.Hscan().Key(at).Cursor(0).Build(),
	}
	if s.settings.History {
		all = append(all, s.neededForHistory()...)
	}
	if s.settings.Presence {
		all = append(all, s.neededForPresence()...)
	}
	all = append(all, b.Pexpire().Key(at).Milliseconds(1).Build())
	if s.settings.Cluster {
		return append(all, b.ClusterSlots().Build(), b.ClusterShards().Build(),
			b.Spublish().Channel(at).Message("").Build(), b.Ssubscribe().Channel(at).Build())
	}
	return append(all, b.Publish().Channel(at).Message("").Build(), b.Subscribe().Channel(at).Build())
}

// neededForHistory are commands without which none is kept. What the one that pushes leaves, those behind it remove.
func (s *server) neededForHistory() []rueidis.Completed {
	b, at := s.client.B(), s.tried()
	return []rueidis.Completed{
		b.ScriptLoad().Script("return 0").Build(),
		b.Evalsha().Sha1("none").Numkeys(1).Key(at).Build(),
		b.Hmget().Key(at).Field("a").Build(),
		b.Arbitrary("HINCRBY").Keys(at).Args("a", "no number").Build(),
		b.Get().Key(at).Build(),
		b.Arbitrary("SET").Keys(at).Args("a", "no option").Build(),
		b.Rpush().Key(at).Element("a").Build(),
		b.Ltrim().Key(at).Start(1).Stop(0).Build(),
		b.Lpop().Key(at).Build(),
		b.Lrange().Key(at).Start(0).Stop(0).Build(),
		b.Lindex().Key(at).Index(0).Build(),
		b.Llen().Key(at).Build(),
		b.Persist().Key(at).Build(),
		b.Pttl().Key(at).Build(),
		b.Del().Key(at).Build(),
	}
}

// neededForPresence are commands without which nobody is present.
func (s *server) neededForPresence() []rueidis.Completed {
	b, at := s.client.B(), s.tried()
	return []rueidis.Completed{
		b.ScriptLoad().Script("return 0").Build(),
		b.Evalsha().Sha1("none").Numkeys(1).Key(at).Build(),
		b.Hmget().Key(at).Field("a").Build(),
		b.Arbitrary("HINCRBY").Keys(at).Args("a", "no number").Build(),
		b.Hlen().Key(at).Build(),
		b.Exists().Key(at).Build(),
		b.Sadd().Key(at).Member("a").Build(),
		b.Smembers().Key(at).Build(),
		b.Srandmember().Key(at).Count(1).Build(),
		b.Srem().Key(at).Member("a").Build(),
	}
}

// wished are commands without which less works.
func (s *server) wished() []rueidis.Completed {
	b := s.client.B()
	nobody := strconv.Itoa(math.MaxInt64)
	all := []rueidis.Completed{
		b.ClientInfo().Build(), b.Arbitrary("CLIENT", "KILL", "ID", nobody).Build(),
		b.PubsubNumsub().Channel(s.tried()).Build(),
	}
	if s.settings.Cluster {
		all = append(all, b.PubsubShardnumsub().Channel(s.tried()).Build())
	}
	return all
}

// lacks tries commands, and tells what the user lacks for them, as ACL SETUSER has it.
func (s *server) lacks(all []rueidis.Completed) (missing []string, err error) {
	own, _ := s.client.Dedicate()
	defer own.Close() // what is subscribed to ends with it
	for _, c := range all {
		words := slices.Clone(c.Commands()) // of a command that is done, no more can be told
		r := do(own, c)
		if err := r.NonRedisError(); err != nil {
			return nil, err
		}
		if err := r.Error(); err != nil && strings.HasPrefix(err.Error(), "NOPERM") {
			missing = union(missing, s.lack(words, err.Error()))
		}
	}
	return missing, nil
}

// lack is what a user lacks for a command, by what the server says.
func (s *server) lack(words []string, text string) []string {
	command := strings.ToLower(words[0])
	switch {
	case strings.Contains(text, "channel"):
		return []string{"&" + s.settings.Prefix + ".*"}
	case strings.Contains(text, "key"):
		return []string{"~" + s.settings.Prefix + ".*"}
	case slices.Contains([]string{"client", "cluster", "pubsub", "script"}, command):
		return []string{"+" + command + "|" + strings.ToLower(words[1])}
	case command == "subscribe" || command == "ssubscribe":
		return []string{"+" + command, "+" + strings.Replace(command, "sub", "unsub", 1)}
	}
	return []string{"+" + command}
}

func (s *server) user() string { return cmp.Or(s.settings.User, "default") }

// permit is a command that lets the user do more.
func (s *server) permit(rights ...string) string {
	return fmt.Sprintf("%s ACL SETUSER %s '%s'", redisCLI(s.addr, s.settings), s.user(), strings.Join(rights, "' '"))
}
