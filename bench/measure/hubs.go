//go:build linux

package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// hub is a push server as its clients see it: pages that come with a credential and follow the channel news, and a back
// end that publishes by HTTP.
type hub struct {
	api     int // which of its addresses takes publications
	page    opening
	publish func(text string) []byte // a request
}

// hubs are those that rivals serves as "hub", by the names of their columns.
var hubs = map[string]hub{
	"push server": {api: 2, page: linemanPage, publish: func(text string) []byte {
		return post("/v1/pub", "application/json", "", fmt.Sprintf(`{"to":"news","text":%q}`, text))
	}},
	"Centrifugo": {page: centrifugoPage, publish: func(text string) []byte {
		return post("/api/publish", "application/json", "", fmt.Sprintf(`{"channel":"news","data":%q}`, text))
	}},
	"Mercure": {page: mercurePage, publish: func(text string) []byte {
		return post("/.well-known/mercure", "application/x-www-form-urlencoded", mercureMay("publish"),
			"topic=news&data="+text)
	}},
}

func post(path, kind, fields, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s",
		path, kind, fields, len(body), body)
}

// claims are those of a page, for an hour.
func claims(port int) string {
	return fmt.Sprintf(`{"sub":%q,"exp":%d}`, uid(port), time.Now().Add(time.Hour).Unix())
}

var linemanPage = opening{
	webSocket: true, query: func(port int) string { return "?sub=news&token=" + sign(claims(port)) },
}

var centrifugoPage = opening{
	webSocket: true,
	query:     func(int) string { return "connection/websocket" },
	first: func(port int) string {
		return fmt.Sprintf(`{"id":1,"connect":{"token":%q}}`, sign(claims(port))) + "\n" +
			`{"id":2,"subscribe":{"channel":"news"}}`
	},
}

var mercurePage = opening{
	events: func(int) string { return "/.well-known/mercure?match=news" },
	fields: func(int) string { return mercureMay("subscribe") },
}

const mercureIssuer = "https://localhost"

// mercureMay is a header field with a credential for an action (RFC 9068, RFC 9396).
func mercureMay(action string) string {
	claims := fmt.Sprintf(`{"iss":%[1]q,"aud":%[1]q,"sub":"somebody","exp":%[2]d,"authorization_details":[`+
		`{"type":"https://mercure.rocks/authorization-detail","actions":[%[3]q],"topics":[{"match":"news"}]}]}`,
		mercureIssuer, time.Now().Add(time.Hour).Unix(), action)
	return "Authorization: Bearer " + signAs("at+jwt", claims) + "\r\n"
}

// sign makes a JSON web token of claims (RFC 7519), with the secret that all hubs know.
func sign(claims string) string { return signAs("JWT", claims) }

func signAs(kind, claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256","typ":"`+kind+`"}`)) + "." + encode([]byte(claims))
	mac := hmac.New(sha256.New, []byte(tokenSecret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// centrifugo is a program of that name. It reads its settings from a file.
func centrifugo(b *builder) (*program, error) {
	bin, err := b.given("centrifugo", "program")
	if err != nil {
		return nil, err
	}
	const config = `{
	"http_server": {"address": "127.0.0.1", "port": PORT},
	"log": {"level": "error"},
	"usage_stats": {"disabled": true},
	"client": {
		"allowed_origins": ["*"], "ping_interval": "1h", "pong_timeout": "10m", "token": {"hmac_secret_key": "SECRET"}
	},
	"channel": {"without_namespace": {"allow_subscribe_for_client": true}},
	"http_api": {"insecure": true}
}
`
	return &program{version: says(bin, "version"), command: func(_ string, ports []string) ([]string, error) {
		file := filepath.Join(b.dir, "centrifugo.json")
		text := strings.NewReplacer("PORT", ports[0], "SECRET", tokenSecret).Replace(config)
		return []string{bin, "--config", file}, os.WriteFile(file, []byte(text), 0o600)
	}}, nil
}

// mercure is a program of that name, which is Caddy with a module.
func mercure(b *builder) (*program, error) {
	bin, err := b.given("mercure", "program")
	if err != nil {
		return nil, err
	}
	const config = `{
	admin off
	auto_https off
	persist_config off
	log {
		level ERROR
	}
}
http://:PORT {
	bind 127.0.0.1
	mercure {
		anonymous
		heartbeat 1h
		issuer ISSUER {
			publisher {
				jwt "SECRET" HS256
			}
			subscriber {
				jwt "SECRET" HS256
			}
		}
		resource_identifier ISSUER
		transport local
		write_timeout 0s
	}
}
`
	return &program{version: says(bin, "version"), command: func(_ string, ports []string) ([]string, error) {
		file := filepath.Join(b.dir, "Caddyfile")
		text := strings.NewReplacer("PORT", ports[0], "SECRET", tokenSecret, "ISSUER", mercureIssuer).Replace(config)
		return []string{bin, "run", "--config", file, "--adapter", "caddyfile"}, os.WriteFile(file, []byte(text), 0o600)
	}}, nil
}

// mark is in each publication once, and nowhere else, not in the head of a frame either: it tells that one has come,
// whatever is around it.
const mark = "~~"

func marked(size int) string { return strings.Repeat("x", size-len(mark)) + mark }

// marks is how many publications there are in what has just come on a connection.
func (l *load) marks(i, n int) (count int) {
	c, came := &l.conns[i], l.buf[:n]
	count = bytes.Count(came, []byte(mark))
	if c.halfMark && came[0] == mark[1] {
		count++
	}
	c.halfMark = came[n-1] == mark[0] && !bytes.HasSuffix(came, []byte(mark))
	return count
}
