package server_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// appQuery is the query of a request that the app has signed.
func appQuery(method, path, query, body string, at time.Time) string {
	sum := md5.Sum([]byte(body))
	all := fmt.Sprintf("auth_key=%s&auth_timestamp=%d&auth_version=1.0", shop.Key, at.Unix())
	if body != "" {
		all += "&body_md5=" + hex.EncodeToString(sum[:])
	}
	if query != "" {
		all += "&" + query // its names come after these
	}
	return all + "&auth_signature=" + shop.Sign(method+"\n"+path+"\n"+all)
}

// app makes a request to the Pusher API.
func (r *running) app(method, path, query, body string) (status int, answer string) {
	r.t.Helper()
	c := call{method, "", body, nil}
	return r.callApp(c, path+"?"+appQuery(method, path, query, body, time.Now()))
}

// callApp makes a request whose address is made already.
func (r *running) callApp(c call, address string) (status int, answer string) {
	r.t.Helper()
	before := r.api
	defer func() { r.api = before }()
	r.api = strings.TrimSuffix(r.api, "/v1/")
	c.path = address
	if c.header == nil && c.body != "" {
		c = c.with("Content-Type", "application/json")
	}
	return r.call(c)
}

// TestPusherAPI has a back end publish to all but one page, ask about channels, and end the connections of a user.
func TestPusherAPI(t *testing.T) {
	r := start(t, shops(), server.Options{})
	p, q := r.pusher(), r.pusher()
	p.comesTo("orders", "")
	q.comesTo("orders", "")
	const event = `{"name":"new","channels":["orders"],"data":"{\"n\":1}"`
	if status, answer := r.app("POST", "/apps/shop/events", "", event+`,"socket_id":"`+q.socket+`"}`); status != 200 ||
		answer != "{}" {
		t.Errorf("%d %s", status, answer)
	}
	p.has(`{"event":"new","channel":"orders","data":"{\"n\":1}"}`)
	if status, answer := r.app("POST", "/apps/shop/events", "", event+"}"); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	q.has(`{"event":"new","channel":"orders","data":"{\"n\":1}"}`) // the first one was not for it
	p.has(`{"event":"new",`)
	for path, want := range map[string]string{
		"/apps/shop/channels": `{"channels":{"orders":{}}}`, "/apps/shop/channels/orders": `{"occupied":true}`,
		"/apps/shop/channels/none": `{"occupied":false}`,
	} {
		if status, answer := r.app("GET", path, "", ""); status != 200 || answer != want {
			t.Errorf("%s: %d %s, want %s", path, status, answer, want)
		}
	}
	if status, answer := r.app("GET", "/apps/shop/channels/orders", "info=subscription_count", ""); status != 200 ||
		answer != `{"occupied":true,"subscription_count":2}` {
		t.Errorf("%d %s", status, answer)
	}
	data := `{"id":"7"}`
	q.Send(fmt.Sprintf(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`,
		shop.AuthenticateUser(q.socket, data), data))
	q.has(`{"event":"pusher:signin_success"`)
	if status, answer := r.app("POST", "/apps/shop/users/7/terminate_connections", "", "{}"); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	q.has(`{"event":"pusher:error","data":{"code":4009,`)
	told(t, q.Client, 4009)
}

// TestPusherAPIRefused refuses what is not signed as it should be, and tells nobody what would be right.
func TestPusherAPIRefused(t *testing.T) {
	r := start(t, shops(), server.Options{})
	const path, body = "/apps/shop/events", `{"name":"new","channel":"orders","data":"1"}`
	now := time.Now()
	good := path + "?" + appQuery("POST", path, "", body, now)
	post := call{"POST", "", body, nil}
	said := post.with("Content-Type", "application/json")
	for name, tt := range map[string]struct {
		c       call
		address string
		status  int
	}{
		"good":               {post, good, 200},
		"nothing":            {post, path, 401},
		"another body":       {call{"POST", "", strings.Replace(body, "1", "2", 1), nil}, good, 401},
		"another path":       {post, strings.Replace(good, "/events", "/batch_events", 1), 401},
		"another app":        {post, strings.Replace(good, "/shop/", "/other/", 1), 401},
		"no app":             {post, strings.Replace(good, "/shop/", "/nobody/", 1), 401},
		"another method":     {call{"GET", "", "", nil}, good, 401},
		"another signature":  {post, good[:len(good)-1] + "x", 401},
		"old":                {post, path + "?" + appQuery("POST", path, "", body, now.Add(-time.Hour)), 401},
		"early":              {post, path + "?" + appQuery("POST", path, "", body, now.Add(time.Hour)), 401},
		"a page":             {said.with("Origin", "http://localhost"), good, 403},
		"another host":       {said.with("Host", "evil.example"), good, 403},
		"no such path":       {post, "/apps/shop/x?" + appQuery("POST", "/apps/shop/x", "", body, now), 404},
		"no JSON":            {call{"POST", "", "{", nil}, path + "?" + appQuery("POST", path, "", "{", now), 400},
		"a body that is not": {call{"POST", "", "", nil}, good, 401},
	} {
		status, answer := r.callApp(tt.c, tt.address)
		if status != tt.status {
			t.Errorf("%s: %d %s, want %d", name, status, answer, tt.status)
		}
		if right := good[strings.LastIndex(good, "=")+1:]; strings.Contains(answer, right) {
			t.Errorf("%s: the answer tells the signature: %s", name, answer)
		}
	}
}

// TestPusherAPIClaimed does what no other node has done before, and nothing where nobody can tell.
func TestPusherAPIClaimed(t *testing.T) {
	var known atomic.Int64 // of the next request; less than 0: nobody can tell
	var claims atomic.Int32
	r := start(t, shops(), server.Options{
		Claim: func(_ context.Context, group, name string, keep time.Duration) (time.Duration, error) {
			claims.Add(1)
			if group == "" || len(name) != 32 || keep < 20*time.Minute {
				t.Errorf("it claims %q among %q for %v", name, group, keep)
			}
			if n := known.Load(); n >= 0 {
				return time.Duration(n), nil
			}
			return 0, errors.New("away")
		},
	})
	p := r.pusher()
	p.comesTo("orders", "")
	for i, c := range []struct {
		known  time.Duration
		status int
	}{{0, 200}, {4 * time.Second, 200}, {5 * time.Second, 401}, {-1, 503}} {
		known.Store(int64(c.known))
		body := fmt.Sprintf(`{"name":"new","channels":["orders"],"data":"%d"}`, i)
		if status, answer := r.app("POST", "/apps/shop/events", "", body); status != c.status {
			t.Errorf("known for %v: %d %s", c.known, status, answer)
		}
		if c.status == 200 {
			p.has(fmt.Sprintf(`{"event":"new","channel":"orders","data":"%d"}`, i))
		}
	}
	if status, answer := r.app("GET", "/apps/shop/channels", "", ""); status != 200 || claims.Load() != 4 {
		t.Errorf("a question: %d %s, after %d claims", status, answer, claims.Load())
	}
	p.subscribes("other", "")
	p.has(`{"event":"pusher_internal:subscription_succeeded","channel":"other"`) // and nothing before it
}
