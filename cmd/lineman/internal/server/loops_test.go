package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// onLoops are settings with so many loops, in which pages may publish as they like.
func onLoops(n int) config.Config {
	c := devMode()
	c.Loops = n
	c.Limits.MessagesPerConnection = 0
	c.Namespaces["open"] = config.Namespace{Subscribe: "all", Publish: "all"}
	return c
}

// TestPublishedInOrder answers what a page publishes in the order of its requests: what only its own loop gets, what
// others get, and what is refused.
func TestPublishedInOrder(t *testing.T) {
	const loops, rounds, each = 3, 20, 60
	r := start(t, onLoops(loops), server.Options{})
	var pages []livePage
	for i := range loops { // each on a loop of its own
		p, _ := r.welcomed(t, fmt.Sprintf(`,"token":"u%d","sub":{"open:all":"","open:%d":""}`, i, i))
		for range 3 { // its uid, and two channels
			p.Receive()
		}
		pages = append(pages, p)
	}
	for i, p := range pages {
		for range rounds {
			var requests []string
			for id := 1; id <= each; id++ {
				to := []string{"open:all", fmt.Sprint("open:", i), "none:1"}[id%3]
				requests = append(requests, fmt.Sprintf(`{"op":"pub","id":%d,"ch":%q,"data":1,"self":false}`, id, to))
			}
			p.Send("[" + strings.Join(requests, ",") + "]")
			for id := 1; id <= each; {
				got := p.Receive()
				if strings.HasPrefix(got, `{"op":"msg"`) { // of another page
					continue
				}
				if !strings.Contains(got, fmt.Sprintf(`"id":%d,`, id)) {
					t.Fatalf("page %d got %s, want the answer to request %d", i, got, id)
				}
				id++
			}
		}
	}
}

// TestConnectionsOfLoops bounds the connections of a uid on all loops together, and gives the place of a login that
// has failed to another one.
func TestConnectionsOfLoops(t *testing.T) {
	const most = 2
	c := onLoops(3)
	c.Limits.ConnectionsPerUID, c.Limits.LoginsPerUID = most, 0
	c.Namespaces["shut"] = config.Namespace{Subscribe: "none"}
	r := start(t, c, server.Options{})
	b := r.backend()
	for range 2 * most {
		p := r.visit("token=ann&sub=shut:x")
		told(t, p, 4003)
		p.Close()
	}
	var all []*linemantest.Client
	for range 10 {
		all = append(all, r.Connect(r.pages))
	}
	for _, p := range all {
		p.Upgrade("/", nil)
	}
	for _, p := range all {
		p.Send("ann")
	}
	r.api = r.admin
	linemantest.Until(t, "not all logins are decided", func() bool {
		_, metrics := r.get("/metrics", nil)
		return strings.Contains(metrics, fmt.Sprintf(`_refusals_total{reason="connections_per_uid"} %d`, len(all)-most))
	})
	r.counts(b, "u:ann", most)
}
