package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// TestHearingMetrics has events, hooks and calls be in the metrics, and no observer.
func TestHearingMetrics(t *testing.T) {
	l := startListener(t)
	c := l.hears(t, "message")
	app := startApplication(t, func(question) string { return `{"error":"no","code":404}` })
	c.Hooks["door"] = app.decides("rpc").Hooks["app"]
	r := start(t, c, server.Options{})
	listens := r.listening(`{"cmd":"listen","events":["message"],"group":"chat"}`)
	tap := r.listening(`{"cmd":"listen","events":["message","rpc"],"group":"tap","observe":true}`)
	p, _ := r.welcomed(t, `,"token":"ann"`)
	p.Receive() // its uid
	p.Send(`{"op":"rpc","id":1,"method":"m"}`)
	p.is(nil, `{"op":"err","id":1,"code":404,"msg":"no"}`)
	p.Send(`{"op":"say","data":1}`)
	hear(t, listens)
	hear(t, tap)
	linemantest.Until(t, "the hook is not told", func() bool { return len(l.all()) == 1 })
	r.api = r.admin
	var text string
	has := func(line string) bool {
		_, text = r.get("/metrics", nil)
		return strings.Contains(text, "\n"+line+"\n")
	}
	linemantest.Until(t, "the request to the hook is not counted",
		func() bool { return has(`lineman_hook_requests_total{hook="app",result="good"} 1`) })
	for _, want := range []string{
		`lineman_listeners{group="chat"} 1`, `lineman_listeners{group="hook:app"} 4`,
		`lineman_events_waiting{group="chat"} 1`, `lineman_events_total{group="chat"} 1`,
		`lineman_events_dropped_total{group="",reason="late"} 0`, `lineman_hook_open{hook="app"} 0`,
		`lineman_hook_requests_total{hook="door",result="lost"} 0`, `lineman_hook_dead_letters_total{hook="app"} 0`,
		`lineman_hook_questions_total{hook="door",result="posted"} 1`, `lineman_hook_seconds_count{hook="door"} 1`,
		`lineman_calls_total{result="failed"} 1`, `lineman_calls_waiting 0`,
	} {
		if !has(want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(text, `"tap"`) {
		t.Error("an observer is among the groups")
	}
	if status, _ := r.get("/metrics", nil); status != http.StatusOK {
		t.Errorf("the status is %d", status)
	}
}
