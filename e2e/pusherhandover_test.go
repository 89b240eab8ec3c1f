package e2e

import (
	"bufio"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/push/pusher"
)

// devApp is the app of dev mode.
var devApp = &pusher.App{ID: "1001", Key: "lineman-key", Secret: "lineman-secret"}

// pusherFrame is what a page of the Pusher protocol is told.
type pusherFrame struct{ Event, Channel, Data string }

// pusher is a page of the Pusher protocol that is in some channels, as who it says, with its socket_id.
func (k *crossings) pusher(user string, channels ...string) (c readWriter, socket string) {
	k.t.Helper()
	conn := k.dial(k.server.pages)
	early, _, err := ws.Dialer{}.Upgrade(conn, &url.URL{
		Scheme: "ws", Host: k.server.pages, Path: "/app/" + devApp.Key, RawQuery: "protocol=7",
	})
	if err != nil {
		k.t.Fatal(err)
	}
	if early == nil {
		early = bufio.NewReader(conn)
	}
	c = readWriter{early, conn}
	_ = conn.SetReadDeadline(time.Now().Add(patience)) // if it has ended, a read says so
	var greeting struct {
		Socket string `json:"socket_id"`
	}
	if err := json.Unmarshal([]byte(k.frame(c).Data), &greeting); err != nil {
		k.t.Fatal(err)
	}
	socket = greeting.Socket
	for _, channel := range channels {
		data := ""
		if strings.HasPrefix(channel, "presence-") {
			data = fmt.Sprintf(`{"user_id":%q}`, user)
		}
		asked, _ := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": map[string]string{
			"channel": channel, "channel_data": data, "auth": devApp.AuthorizeChannel(socket, channel, data),
		}})
		k.say(c, string(asked))
		begun := "pusher_internal:subscription_succeeded"
		if strings.HasPrefix(channel, "cache-") {
			begun = "pusher:cache_miss" // which follows it
		}
		for f := k.frame(c); f.Event != begun || f.Channel != channel; f = k.frame(c) {
			if strings.Contains(f.Event, "error") {
				k.t.Fatalf("%s: %+v", channel, f)
			}
		}
	}
	_ = conn.SetReadDeadline(time.Time{})
	return c, socket
}

// frame reads one.
func (k *crossings) frame(c io.ReadWriter) (f pusherFrame) {
	k.t.Helper()
	text, err := wsutil.ReadServerText(c)
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		k.t.Fatalf("%q: %v", text, err)
	}
	return f
}

// frames reads what such a page is told as level 1 has it.
func frames(c io.ReadWriter) func() ([]byte, error) {
	return func() ([]byte, error) {
		text, err := wsutil.ReadServerText(c)
		var f pusherFrame
		if err == nil {
			err = json.Unmarshal(text, &f)
		}
		if err != nil {
			return text, err
		}
		switch f.Event {
		case "new":
			return fmt.Appendf(nil, `{"op":"msg","ch":%q,"data":%s}`, f.Channel, f.Data), nil
		case "pusher_internal:member_added":
			return []byte(`{"op":"join"}`), nil
		case "pusher_internal:member_removed":
			return []byte(`{"op":"leave"}`), nil
		}
		return fmt.Appendf(nil, `{"op":"bye","why":%q}`, text), nil
	}
}

// askApp makes a request to the Pusher API, which the app of dev mode has signed.
func askApp(t *testing.T, api, method, path, body string) string {
	t.Helper()
	status, text := sendApp(t, api, method, signedFor(method, path, body, time.Now()), body)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, text)
	}
	return text
}

// signedFor is the address of a request to the Pusher API, which the app of dev mode has signed.
func signedFor(method, path, body string, at time.Time) string {
	query := fmt.Sprintf("auth_key=%s&auth_timestamp=%d&auth_version=1.0", devApp.Key, at.Unix())
	if body != "" {
		sum := md5.Sum([]byte(body))
		query += "&body_md5=" + hex.EncodeToString(sum[:])
	}
	return path + "?" + query + "&auth_signature=" + devApp.Sign(method+"\n"+path+"\n"+query)
}

// sendApp makes a request that was signed.
func sendApp(t *testing.T, api, method, address, body string) (status int, answer string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+api+address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return response.StatusCode, string(text)
}

// TestPusherHandover reloads the push server three times in a row, while pages of the Pusher protocol get what back
// ends publish. No connection ends, nothing is lost, doubled or out of order, nobody is seen to come or go, a
// socket_id stays that of its page, and what a page asks for afterwards it gets.
func TestPusherHandover(t *testing.T) {
	for name, flags := range map[string][]string{
		"in memory": inMemory, "on three loops": append([]string{"--loops", "3"}, inMemory...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := free(t)
			m := newMortalOf(t, "limits: {messages_per_connection: 0}\n", append([]string{"--api", api}, flags...)...)
			testPusherHandover(t, &crossings{t: t, server: m}, api)
		})
	}
}

func testPusherHandover(t *testing.T, k *crossings, api string) {
	const members = 8
	var pages []readWriter
	var sockets []string
	for i := range members {
		c, socket := k.pusher(fmt.Sprint("u", i/2), "orders", "private-orders", "presence-room", "cache-state")
		pages, sockets = append(pages, c), append(sockets, socket)
	}
	const users = "/apps/1001/channels/presence-room/users"
	before := askApp(t, api, "GET", users, "")
	if want := `{"users":[{"id":"u0"},{"id":"u1"},{"id":"u2"},{"id":"u3"}]}`; before != want {
		t.Fatalf("the members are %s", before)
	}
	for i, c := range pages {
		k.listen([]string{"excepted", "pusher"}[min(i, 1)], frames(c))
	}
	stop := make(chan struct{})
	var publishers []*publisher
	for _, channel := range []string{"orders", "presence-room"} {
		publishers = append(publishers, k.publish(&publisher{
			name: channel, conn: k.dial(k.server.backend), ahead: 5, answered: wantLine,
			request: func(n int) string {
				data, _ := json.Marshal(fmt.Sprintf(`{"n":%d,"from":"lines"}`, n))
				return fmt.Sprintf(`{"cmd":"pub","to":"1001:%s","data":{"event":"new","data":%s}}`+"\n", channel,
					data)
			},
		}, stop))
	}
	for range 3 {
		k.progress(300)
		k.reload()
	}
	k.progress(300)
	close(stop)
	linemantest.Until(t, "the publishers do not end", func() bool { return k.publishing.Load() == 0 })
	last := map[string]int{}
	for _, p := range publishers {
		last[p.name+" lines"] = p.last
	}
	const event = `{"name":"new","channel":"private-orders","data":"{\"n\":1,\"from\":\"%s\"}","socket_id":%q}`
	for from, socket := range map[string]string{"others": sockets[0], "all": "1.1"} {
		askApp(t, api, "POST", "/apps/1001/events", fmt.Sprintf(event, from, socket))
		last["private-orders "+from] = 1
	}
	excepted := maps.Clone(last)
	delete(excepted, "private-orders others")
	k.finish(map[string]map[string]int{"pusher": last, "excepted": excepted})
	if !k.listeners[0].has(map[string]int{"private-orders others": 0}) {
		t.Error("after the reloads a socket_id is that of no page")
	}
	if after := askApp(t, api, "GET", users, ""); after != before {
		t.Errorf("after the reloads the members are %s", after)
	}
}
