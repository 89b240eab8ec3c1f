package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// resp is what ends a command of Redis and begins others, if it gets there as it is.
const resp = "x\r\n*3\r\n$3\r\nSET\r\n$5\r\nother\r\n$1\r\nx\r\n*1\r\n$8\r\nFLUSHALL\r\n"

// hostileNames are those that mean something to Redis, or to who makes its names.
var hostileNames = []string{
	"plain", "a.b", "a b", "{0}", "}:all", "}.x", "shop-2.{0}.u:same", "shop-2.{0}:nodes", "*a*", "?", "[a-z]", `\`,
	`"'`, "%s%n", "$8", "redis.call('FLUSHALL')", "ユーザー", "\u200d\u0301", strings.Repeat("n", 255),
	strings.Repeat("ü", 127),
}

// refusedNames are refused whichever way they come.
var refusedNames = []string{"a\r\nFLUSHALL\r\n", "a\x00b", "\x7f", "\u202e\u200b", strings.Repeat("n", 256), ""}

// TestClusterApps has two apps on one Redis, whose prefixes begin alike. What one publishes, by whatever way and under
// whatever name, the other never hears, and nothing of the other's in Redis changes.
func TestClusterApps(t *testing.T) {
	r := startRedis(t)
	shop := startLineman(t, "--redis-addresses", r.addr, "--redis-prefix", "shop")
	other := startLineman(t, "--redis-addresses", r.addr, "--redis-prefix", "shop-2")
	r.ask("SET", "other", "1")
	r.ask("HSET", "shop", "a", "1")
	r.ask("SET", "shop-2.{0}", "1")
	bystander := arrive(t, other.pages, "token=same&sub=news")
	other.places(t, "same", "room")
	shopBegan, began := r.holds("shop.{"), r.others("shop.{")

	mine := arrive(t, shop.pages, "token=same&sub=news")
	shop.places(t, "same", "room")
	ways := shop.ways(t)
	for i, target := range []string{"*", "u:same", "g:room", "news"} {
		for name, publish := range ways {
			text := fmt.Sprint(name, i, resp)
			if got := publish(target, text); got != 1 {
				t.Errorf("%s to %s reaches %d", name, target, got)
			}
			gets(t, mine, text)
		}
	}
	for _, name := range hostileNames {
		page := arrive(t, shop.pages,
			"token="+url.QueryEscape(name)+"&sub="+url.QueryEscape("ch:"+name[:min(len(name), 252)]))
		targets := []string{"u:" + name, "g:" + name, "ch:" + name[:min(len(name), 252)]}
		shop.places(t, name, name)
		for way, publish := range ways {
			for _, target := range targets {
				text := way + " to " + target + resp
				if got := publish(target, text); got != 1 {
					t.Errorf("%s to %q reaches %d", way, target, got)
				}
				gets(t, page, text)
			}
		}
		line := string(must(json.Marshal(map[string]string{"uid": name, "text": resp})))
		if got := shop.ask(line + "\n"); got != "ok\n" {
			t.Errorf("a plain line to %q: %q", name, got)
		}
		gets(t, page, line)
		page.Close()
	}
	for _, name := range refusedNames {
		for way, publish := range ways {
			for _, target := range []string{"u:" + name, "g:" + name, name} {
				if got := publish(target, resp); got != refused {
					t.Errorf("%s to %q is not refused: %d", way, target, got)
				}
			}
		}
		c := visit(t, shop.pages)
		if err := wsutil.WriteClientText(c, []byte(name)); err != nil {
			t.Fatal(err)
		}
		if code, _ := closing(t, c); code != 4001 {
			t.Errorf("a page of %q is closed with %d", name, code)
		}
	}
	if now := r.others("shop.{"); now != began {
		t.Errorf("what others have in Redis was\n%s\nand is\n%s", began, now)
	}
	mine.Close()
	linemantest.Until(t, "something is left in Redis of pages that have gone",
		func() bool { return r.holds("shop.{") == shopBegan })
	if got := other.ask(`{"uid":"same","to":"the other"}` + "\n"); got != "ok\n" {
		t.Errorf("the other app answers %q", got)
	}
	gets(t, bystander, `{"uid":"same","to":"the other"}`)
}

// places puts the page of a uid into a group, once it is there.
func (p push) places(t *testing.T, uid, group string) {
	t.Helper()
	line := string(must(json.Marshal(map[string]string{"cmd": "join", "to": "u:" + uid, "group": group}))) + "\n"
	linemantest.Until(t, uid+" does not come", func() bool { return p.ask(line) == `{"ok":true,"n":1}`+"\n" })
}

// refused is what a way says of what it does not take.
const refused = -1

// ways are ways to publish a text for a target, which tell how many it has reached.
func (p push) ways(t *testing.T) map[string]func(target, text string) int {
	command := func(target, text string) string {
		return string(must(json.Marshal(map[string]string{"cmd": "pub", "to": target, "text": text})))
	}
	post := func(path, kind string) func(target, text string) int {
		return func(target, text string) int {
			body := strings.Replace(command(target, text), `"cmd":"pub",`, "", 1)
			return reached(
				output(t, body, "curl", "-sS", "-H", "Content-Type: "+kind, "--data-binary", "@-", p.api+path))
		}
	}
	return map[string]func(target, text string) int{
		"lines": func(target, text string) int { return reached(p.ask(command(target, text) + "\n")) },
		"HTTP":  post("pub", "application/json"),
		"batch": post("pub", "application/x-ndjson"),
		"push": func(target, text string) int {
			words := (&publication{to: []string{target}}).words()
			if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(w, "\x00") }) {
				return refused // a command line cannot have it
			}
			args := append(append([]string{"push", "--server", p.backends, "--text", "--"}, words...), text)
			out, err := try(t, "", filepath.Join(binaries, "lineman"), args...)
			n := refused
			if err == nil {
				_, _ = fmt.Sscan(out, &n)
			}
			return n
		},
	}
}

// reached is n of an answer.
func reached(answer string) int {
	var r reply
	if json.Unmarshal([]byte(answer), &r) != nil || !r.OK || r.N == nil {
		return refused
	}
	return *r.N
}

// state has the server tell all keys and what is in them, but for what changes all the time: when a node was there
// last.
const state = `
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
	local kind = redis.call('TYPE', key).ok
	local has = kind == 'string' and {redis.call('GET', key)} or redis.call('HKEYS', key)
	table.sort(has)
	all[#all + 1] = key .. ' ' .. kind .. ' ' .. table.concat(has, ' ')
end
table.sort(all)
return all`

// lists are the keys with what they have, and the channels.
func (r *redis) lists() []string {
	var all []string
	for _, text := range []string{r.ask("EVAL", state, "0"), r.ask("PUBSUB", "CHANNELS")} {
		var some []string
		for line := range strings.Lines(text) {
			if _, item, ok := strings.Cut(strings.TrimSpace(line), ") "); ok {
				some = append(some, item)
			}
		}
		slices.Sort(some)
		all = append(all, some...)
	}
	return all
}

// holds is what there is whose names begin so.
func (r *redis) holds(prefix string) string {
	return strings.Join(slices.DeleteFunc(r.lists(), func(s string) bool { return !strings.HasPrefix(s, `"`+prefix) }),
		"\n")
}

// others is everything else.
func (r *redis) others(prefix string) string {
	return strings.Join(slices.DeleteFunc(r.lists(), func(s string) bool { return strings.HasPrefix(s, `"`+prefix) }),
		"\n")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
