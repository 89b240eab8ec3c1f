package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/pusher"
)

// presentBy are the users that a node says are in a channel, in order.
func presentBy(m *mortal, channel string) (users []string) {
	m.t.Helper()
	line, err := askLine(m.backend, fmt.Sprintf(`{"cmd":"presence","to":%q}`, channel))
	var answer struct{ Users map[string]any }
	if err == nil {
		err = json.Unmarshal([]byte(line), &answer)
	}
	if err != nil {
		m.t.Fatalf("%s: %v", line, err)
	}
	return slices.Sorted(maps.Keys(answer.Users))
}

// TestPusherPresenceOverRedis has pages come to a presence channel at random, leave it, and close, on three nodes which
// are killed at times: all nodes tell the truth in the end.
func TestPusherPresenceOverRedis(t *testing.T) {
	t.Parallel()
	r, random := startRedis(t), rand.New(rand.NewPCG(1, 20))
	app := &pusher.App{ID: "1001", Key: "lineman-key", Secret: "lineman-secret"} // that of dev mode
	var nodes []*mortal
	for range 3 {
		nodes = append(nodes, newMortal(t, "--redis-addresses", r.addr))
	}
	type page struct {
		*pusherConn
		node *mortal
		user string // empty: it is not there
	}
	var pages []*page
	const channel = "presence-x"
	for step := range 1000 {
		switch n := random.IntN(20); {
		case step%300 == 299:
			m := nodes[random.IntN(3)]
			m.kill()
			pages = slices.DeleteFunc(pages, func(p *page) bool { return p.node == m })
		case len(pages) < 20 || n < 5 && len(pages) < 50:
			m := nodes[random.IntN(3)]
			p := &page{visitPusher(t, m.pages, app), m, fmt.Sprintf("u%02d", random.IntN(40))}
			p.subscribes(channel, fmt.Sprintf(`{"user_id":%q}`, p.user))
			pages = append(pages, p)
		case n < 12:
			i := random.IntN(len(pages))
			pages[i].Close()
			pages = slices.Delete(pages, i, i+1)
		default:
			p := pages[random.IntN(len(pages))]
			p.says(fmt.Sprintf(`{"event":"pusher:unsubscribe","data":{"channel":%q}}`, channel))
			p.user = ""
		}
	}
	truth := make(map[string]bool)
	for _, p := range pages {
		if p.user != "" {
			truth[p.user] = true
		}
	}
	want := slices.Sorted(maps.Keys(truth))
	for i, m := range nodes {
		var got []string
		linemantest.Until(t, fmt.Sprintf("node %d does not tell that %v are there", i, want), func() bool {
			got = presentBy(m, string(app.Channel(channel)))
			return slices.Equal(got, want)
		})
	}
}

// TestPusherReplayOverRedis refuses a request that another node has done, one that was altered, and one that is old.
// For five seconds the same request is another one.
func TestPusherReplayOverRedis(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	var apis []string
	for range 3 {
		apis = append(apis, free(t))
		newMortal(t, "--redis-addresses", r.addr, "--api", apis[len(apis)-1])
	}
	const path, body = "/apps/1001/events", `{"name":"new","channel":"orders","data":"1"}`
	signed := signedFor("POST", path, body, time.Now())
	linemantest.Until(t, "the first node does not do it", func() bool { // it may not be linked yet
		status, _ := sendApp(t, apis[0], "POST", signed, body)
		return status == http.StatusOK
	})
	linemantest.Until(t, "the second node goes on doing what the first one has done", func() bool {
		status, answer := sendApp(t, apis[1], "POST", signed, body)
		if status != http.StatusOK && status != http.StatusUnauthorized {
			t.Fatalf("%d %s", status, answer)
		}
		return status == http.StatusUnauthorized
	})
	old := signedFor("POST", path, body, time.Now().Add(-11*time.Minute))
	fresh := signedFor("POST", path, body, time.Now())
	for what, said := range map[string][2]string{
		"a replay": {signed, body}, "an old one": {old, body}, "another query": {fresh + "&info=user_count", body},
		"another body": {fresh, strings.Replace(body, "1", "2", 1)},
	} {
		if status, answer := sendApp(t, apis[2], "POST", said[0], said[1]); status != http.StatusUnauthorized {
			t.Errorf("the third node does %s: %d %s", what, status, answer)
		}
	}
	linemantest.Until(t, "the third node does nothing", func() bool { // another body has its signature now
		status, _ := sendApp(t, apis[2], "POST", signedFor("POST", path, body+" ", time.Now()), body+" ")
		return status == http.StatusOK
	})
}

// TestPusherSubscriptionCount tells pages by pusher-js how many they are in a channel on three nodes, and a back end
// too. A node that is reloaded changes nothing, and the connections of one that dies are no longer counted.
func TestPusherSubscriptionCount(t *testing.T) {
	t.Parallel()
	folder, r, h := libraries(t), startRedis(t), &webhooks{}
	site := httptest.NewServer(h)
	t.Cleanup(site.Close)
	app := &pusher.App{ID: "shop", Key: "shop-key", Secret: "the secret of this test"}
	settings := fmt.Sprintf(`dev: true
pusher: {apps: [{id: %s, key: %s, secret: %s, subscription_count: true}]}
hooks: {shop: {url: %s, app: shop, private: true, events: [subscription_count]}}
`, app.ID, app.Key, app.Secret, site.URL)
	var nodes []*mortal
	for range 3 {
		nodes = append(nodes, newMortalOf(t, settings, "--redis-addresses", r.addr))
	}
	runScript(t, "count.cjs", folder, nodes[0].folder, filepath.Join(binaries, "lineman"), nodes[0].pages,
		nodes[1].pages, nodes[2].pages)
	for _, n := range []int{3, 4, 2} {
		h.await(t, fmt.Sprintf(`{"name":"subscription_count","channel":"orders","subscription_count":%d}`, n))
	}
	page := visitPusher(t, nodes[0].pages, app)
	page.subscribes("news", "")
	lost := visitPusher(t, nodes[1].pages, app)
	lost.subscribes("news", "")
	for _, n := range []int{1, 2, 1} {
		want := fmt.Sprintf(`{"event":"pusher_internal:subscription_count","channel":"news",`+
			`"data":"{\"subscription_count\":%d}"}`, n)
		if got := page.hears(); got != want {
			t.Fatalf("it hears %s, want %s", got, want)
		}
		if n == 2 {
			nodes[1].kill()
		}
	}
}
