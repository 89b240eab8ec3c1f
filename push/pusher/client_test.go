package pusher_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push/pusher"
)

// request is one of the HTTP API, as a library for back ends makes it.
type request struct {
	method, path, body string
	query              []string // name=value
	at                 int64    // Unix time
	app                *pusher.App
}

// signed is the query with the signature.
func (r *request) signed() string {
	all := append([]string{
		"auth_key=" + r.app.Key, fmt.Sprintf("auth_timestamp=%d", r.at), "auth_version=1.0",
	}, r.query...)
	if r.body != "" {
		sum := md5.Sum([]byte(r.body))
		all = append(all, "body_md5="+hex.EncodeToString(sum[:]))
	}
	slices.Sort(all)
	text := strings.Join(all, "&")
	return text + "&auth_signature=" + r.app.Sign(r.method+"\n"+r.path+"\n"+text)
}

// request has a back end ask something of the first node.
func (w *world) request(method, path, body string, query ...string) string {
	w.t.Helper()
	r := request{method, "/apps/" + w.app.ID + path, body, query, w.now.Unix(), w.app}
	return w.send(r.method, r.path, r.signed(), body)
}

// send sends a request as it is, and returns the status and the body of the answer.
func (w *world) send(method, path, query, body string) (answer string) {
	w.t.Helper()
	r, wrong := w.apps.CheckHead(method, path, query, w.now, &w.seen)
	if wrong == nil {
		wrong = r.SetBody([]byte(body))
	}
	if wrong != nil {
		return fmt.Sprintf("%d %s", wrong.Status, wrong.Text)
	}
	n := 0
	w.nodes[0].service.Do(r, nil, func(status int, body []byte) {
		n++
		answer = fmt.Sprintf("%d %s", status, body)
	})
	w.settle()
	if n != 1 {
		w.t.Fatalf("%s %s has %d answers", method, path, n)
	}
	return answer
}

// answers checks what a request is answered.
func (w *world) answers(want, method, path, body string, query ...string) {
	w.t.Helper()
	if got := w.request(method, path, body, query...); got != want {
		w.t.Errorf("%s %s %s %.200s: %s; want %s", method, path, query, body, got, want)
	}
}

// begins checks how the answer of a request begins.
func (w *world) begins(want, method, path, body string, query ...string) {
	w.t.Helper()
	if got := w.request(method, path, body, query...); !strings.HasPrefix(got, want) {
		w.t.Errorf("%s %s %s %.200s: %s; want %s", method, path, query, body, got, want)
	}
}

// TestSignatures has the examples of Pusher's documentation.
func TestSignatures(t *testing.T) {
	a := newWorld(t, 1, nil).app
	for _, one := range []struct{ got, want string }{
		{
			a.AuthorizeChannel("1234.1234", "private-foobar", ""),
			"278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
		}, {
			a.AuthorizeChannel("1234.1234", "presence-foobar", `{"user_id":10,"user_info":{"name":"Mr. Channels"}}`),
			"278d425bdf160c739803:31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
		}, {
			a.AuthenticateUser("1234.1234", `{"id":"12345"}`),
			"278d425bdf160c739803:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
		},
	} {
		if one.got != one.want {
			t.Errorf("it is %s, want %s", one.got, one.want)
		}
	}
}
