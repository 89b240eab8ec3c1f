package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// webhook is an application that is told of an app, as Pusher's libraries take it.
type webhook struct {
	*httptest.Server
	mu   sync.Mutex // guards told
	told []string   // name, channel, user, event
}

func startWebhook(t *testing.T) *webhook {
	w := &webhook{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Pusher-Key") != shop.Key || r.Header.Get("X-Pusher-Signature") != shop.Sign(string(body)) ||
			r.Header.Get("Lineman-Signature") != "" {
			t.Errorf("it is signed as %v", r.Header)
		}
		var said struct {
			Time   int64 `json:"time_ms"`
			Events []struct {
				Name, Channel, Event string
				User                 string `json:"user_id"`
				Count                int    `json:"subscription_count"`
			}
		}
		if err := json.Unmarshal(body, &said); err != nil || said.Time == 0 || len(said.Events) == 0 {
			t.Errorf("%s: %v", body, err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, e := range said.Events {
			w.told = append(w.told, e.Name+" "+e.Channel+" "+e.User+" "+e.Event+strings.Repeat("+1", e.Count))
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *webhook) has(told string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.told, told)
}

// TestPusherHooks has an application be told what happens in the channels of an app, and of no other one.
func TestPusherHooks(t *testing.T) {
	w := startWebhook(t)
	c := shops(func(a *config.App) { a.SubscriptionCount = true })
	c.Events.Debounce, c.Loops = 0, 2
	h := config.DefaultHook()
	h.URL, h.Private, h.App, h.DeadLetters = w.URL, true, "shop", filepath.Join(t.TempDir(), "dead")
	h.Events = []string{
		"channel_occupied", "channel_vacated", "member_added", "client_event", "cache_miss",
		"subscription_count",
	}
	c.Hooks = map[string]config.Hook{"web": h}
	r := start(t, c, server.Options{})
	p := r.pusher()
	p.comesTo("orders", "")
	p.has(`{"event":"pusher_internal:subscription_count","channel":"orders","data":"{\"subscription_count\":1}"}`)
	p.comesTo("presence-room", `{"user_id":"7"}`)
	p.comesTo("private-chat", "")
	p.has(`{"event":"pusher_internal:subscription_count","channel":"private-chat",`)
	p.Send(`{"event":"client-typing","channel":"private-chat","data":{}}`)
	p.comesTo("cache-x", "")
	p.has(`{"event":"pusher:cache_miss"`)
	other := r.visit("token=ann&sub=other:orders,other:presence-room")
	r.counts(r.backend(), "other:orders", 1)
	other.Close()
	p.Send(`{"event":"pusher:unsubscribe","data":{"channel":"orders"}}`)
	for _, want := range []string{
		"channel_occupied orders  ", "member_added presence-room 7 ", "client_event private-chat  client-typing",
		"cache_miss cache-x  ", "channel_vacated orders  ", "subscription_count orders  +1",
	} {
		linemantest.Until(t, "the application is not told "+want, func() bool { return w.has(want) })
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, told := range w.told {
		if told == "channel_occupied #server-to-user-7  " || told == "member_removed presence-room 7 " {
			t.Errorf("it is told %s", told)
		}
	}
}
