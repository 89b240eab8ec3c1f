package server_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
	"github.com/lineman-go/lineman/protocol/websocket"
	"github.com/lineman-go/lineman/push/token"
)

// signed is a credential of a uid.
func signed(t *testing.T, secret, uid string, lasts time.Duration) string {
	t.Helper()
	s, err := token.NewSigner(token.Key{Secret: []byte(secret)}, "")
	if err != nil {
		t.Fatal(err)
	}
	credential, err := s.Sign(token.Claims{UID: uid, Expires: time.Now().Add(lasts)})
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

// TestLogSecrets logs each refusal with its reason and from where it came, and nothing of the credential, whichever way
// that came.
func TestLogSecrets(t *testing.T) {
	t.Parallel()
	const ours, theirs = "the secret of this server: 0123456789", "the secret of somebody else: 9876543210"
	v, err := token.New(token.Options{Keys: []token.Key{{Secret: []byte(ours)}}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	verify := func(ctx context.Context, credential string) (server.Identity, error) {
		said, err := v.Verify(ctx, credential)
		return server.Identity{UID: said.UID}, err
	}
	c := settings()
	c.Cookie, c.Text.Auth, c.Admin.Listen = "session", true, "0.0.0.0:0"
	c.API.Keys = []config.Key{{Name: "shop", Key: "the key of the shop is long"}}
	journal := &journal{}
	log := slog.New(slog.NewTextHandler(journal, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := start(t, c, server.Options{Credentials: open(verify), Log: log})

	secrets := []string{ours, theirs, c.API.Keys[0].Key}
	wrong := func(credential string) string {
		secrets = append(secrets, strings.Split(credential, ".")...)
		return credential
	}
	upgrade := func(query string, header http.Header) int {
		answer, _ := r.Connect(r.pages).Handshake("/?"+query, header)
		return answer.StatusCode
	}
	byCookie := r.Connect(r.pages)
	byCookie.Upgrade("/", http.Header{"Cookie": {"session=" + wrong(signed(t, theirs, "by-cookie", time.Hour))}})
	for _, w := range []struct { // no more than are logged in one second
		page *linemantest.Client
		code websocket.Code
	}{
		{byCookie, 4001},
		{r.visit("token=" + wrong(signed(t, theirs, "by-address", time.Hour))), 4001},
		{r.visit("token=" + wrong(signed(t, ours, "expired", -time.Hour))), 4200},
		{r.page(wrong(signed(t, theirs, "by-frame", time.Hour))), 4001},
		{r.page(wrong("not-a-token")), 4001},
	} {
		told(t, w.page, w.code)
		w.page.Close()
	}
	if status := upgrade("token="+wrong("of-a-foreign-page"),
		http.Header{"Origin": {"https://evil.example"}}); status != 403 {
		t.Errorf("a foreign page: %d", status)
	}
	if status := upgrade("token="+wrong("of-a-bad-query")+"%zz", nil); status != 400 {
		t.Errorf("a malformed query: %d", status)
	}
	for _, scheme := range []string{"Bearer ", "Basic ", ""} {
		if status, _ := r.call(
			post("pub", `{}`).with("Authorization", scheme+wrong("an-api-key-by-"+scheme+"head"))); status != 401 {
			t.Errorf("the HTTP API: %d", status)
		}
	}
	b := r.backend()
	b.Write(`{"cmd":"auth","key":"` + wrong("an-api-key-by-line") + `"}` + "\n")
	b.Rest()
	b = r.backend()
	b.Write(`{"cmd":"auth","key":"` + wrong("an-api-key-in-a-broken-line") + "\n")
	b.Rest()
	r.api = strings.Replace(r.admin, "0.0.0.0", "127.0.0.1", 1)
	if status, _ := r.get("/metrics?token="+wrong("an-admin-key-by-address"),
		map[string]string{"Authorization": "Bearer " + wrong("an-admin-key-by-head")}); status != 401 {
		t.Errorf("the port for operators: %d", status)
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}

	text := journal.String()
	for _, s := range secrets {
		if len(s) > 5 && strings.Contains(text, s) {
			t.Errorf("the log has %q", s)
		}
	}
	for line, want := range map[string]int{
		"reason=credential remote=127.0.0.1:": 5, "reason=key remote=127.0.0.1:": 6,
	} {
		if got := strings.Count(text, line); got != want {
			t.Errorf("%s is in the log %d times, want %d", line, got, want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}
