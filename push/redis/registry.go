package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	beat     = 2 * time.Second // how often a node says that it lives
	deadPast = 6 * time.Second // how long one is taken to live that does not say so
	kept     = time.Minute     // how long the registry is kept when no node lives
)

// beatScript notes that a node lives, removes those that do not, and returns [settings of another node that differ, or empty; number of
// those that live; connections of each that was removed…]. A node whose settings differ is not noted. All times are the server's.
//
//	key: the registry, a hash of "BEAT SETTINGS CONNECTIONS" by node, with the beat in ms
//	arguments: node, settings, connections, after how many ms a node is dead, how many the registry is kept
const beatScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local all = redis.call('HGETALL', KEYS[1])
local live, dead = 0, {}
for i = 1, #all, 2 do
	local at, settings, connections = string.match(all[i + 1], '^(%d+) (%S+) (.*)$')
	if not at or now - tonumber(at) > tonumber(ARGV[4]) then
		redis.call('HDEL', KEYS[1], all[i])
		dead[#dead + 1] = connections or ''
	elseif all[i] ~= ARGV[1] then
		live = live + 1
		if settings ~= ARGV[2] then return {all[i] .. ' ' .. settings, live} end
	end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return {'', live + 1, unpack(dead)}`

// registry has a node known to the others for as long as it lives, and ends what is left of those that no longer do: a machine that dies
// says nothing, so the server goes on to count its subscriptions. Whether a link is up does not
// depend on it, but for a server that has become a replica: what is published there does not reach everybody.
type registry struct {
	link    *link
	changed chan struct{} // has one when the others should know at once

	mu          sync.Mutex // guards the following
	connections map[*shard]endpoint
	cannot      sync.Once
}

func newRegistry(l *link) *registry {
	return &registry{link: l, changed: make(chan struct{}, 1), connections: make(map[*shard]endpoint)}
}

// use notes what the server knows the connection of a shard by.
func (r *registry) use(s *shard, e endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e == (endpoint{}) {
		delete(r.connections, s)
		return
	}
	r.connections[s] = e
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// join notes that the node lives. It tries until that is done, or returns false if the link was closed.
func (r *registry) join() bool {
	for {
		err := r.beat()
		if err == nil {
			return true
		}
		r.link.outage.began(err)
		if !r.link.wait(beat / 4) {
			return false
		}
	}
}

// run goes on to note that, until the link is closed.
func (r *registry) run() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	well := true
	for {
		select {
		case <-r.link.leaving:
			return
		case <-ticker.C:
		case <-r.changed:
		}
		err := r.beat()
		if err != nil && well && r.link.ctx.Err() == nil && !r.link.outage.lasts() {
			r.link.outage.log.Warn("redis: the registry of nodes does not know this one", "error", err)
		}
		well = err == nil
	}
}

// beat notes that this node lives, and ends the connections of those that do not.
func (r *registry) beat() error {
	l := r.link
	r.mu.Lock()
	own := make([]endpoint, 0, len(r.connections))
	for _, e := range r.connections {
		own = append(own, e)
	}
	r.mu.Unlock()
	connections, err := json.Marshal(own)
	if err != nil {
		return err
	}
	began := time.Now()
	found, err := r.eval(beatScript, l.names.nodes(), l.node.ID, l.options.settings(), string(connections), millis(deadPast), millis(kept)).ToArray()
	if err != nil {
		if strings.Contains(err.Error(), "READONLY") { // it has become a replica, and kept its connections
			l.dialer.reset()
		}
		return fmt.Errorf("redis: registry: %w", err)
	}
	l.counters.timed(began)
	differs, live, dead, err := parseBeat(found)
	switch {
	case err != nil:
		return err
	case differs != "":
		return fmt.Errorf("redis: node %s, but this one has %s: all nodes of a prefix need the same", differs, l.options.settings())
	}
	l.counters.nodes.Store(live)
	for _, e := range dead {
		r.end(e)
	}
	return nil
}

// parseBeat reads what the script answers.
func parseBeat(found []rueidis.RedisMessage) (differs string, live int64, dead []endpoint, err error) {
	if len(found) < 2 {
		return "", 0, nil, errors.New("redis: the registry's answer has no numbers")
	}
	if differs, err = found[0].ToString(); err != nil {
		return "", 0, nil, err
	}
	if live, err = found[1].AsInt64(); err != nil {
		return "", 0, nil, err
	}
	for _, m := range found[2:] {
		var of []endpoint
		if text, err := m.ToString(); err == nil && json.Unmarshal([]byte(text), &of) == nil {
			dead = append(dead, of...)
		}
	}
	return differs, live, dead, nil
}

// end has the servers end a connection that is of no use.
func (r *registry) end(e endpoint) {
	for _, server := range r.link.client.Nodes() {
		ctx, cancel := context.WithTimeout(r.link.ctx, giveUpAfter)
		kill := server.B().Arbitrary("CLIENT", "KILL", "ID", fmt.Sprint(e.ID), "ADDR", e.Address).Build()
		n, err := server.Do(ctx, kill).AsInt64()
		cancel()
		if _, refused := rueidis.IsRedisErr(err); refused {
			r.unable(err)
		}
		r.link.counters.ghosts.Add(uint64(n))
	}
}

// unable tells the log, once, that connections cannot be ended.
func (r *registry) unable(err error) {
	r.cannot.Do(func() {
		r.link.outage.log.Warn("redis: connections of nodes whose machine died cannot be ended: allow client|info and client|kill", "error", err)
	})
}

// leave removes the node, so that the others know at once.
func (r *registry) leave() {
	l := r.link
	_ = r.do(l.client.B().Hdel().Key(l.names.nodes()).Field(l.node.ID).Build()).Error() // else it is removed as one that died
}

func (r *registry) eval(script, key string, arguments ...string) rueidis.RedisResult {
	return r.do(r.link.client.B().Eval().Script(script).Numkeys(1).Key(key).Arg(arguments...).Build())
}

func (r *registry) do(cmd rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := context.WithTimeout(r.link.ctx, giveUpAfter)
	defer cancel()
	return r.link.client.Do(ctx, cmd)
}

func millis(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
