package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestExplain has each setting with its value and source, and no secret.
func TestExplain(t *testing.T) {
	const secret = "hush-hush-0123456789"
	file := write(t, "token: {secrets: ["+secret+"]}\nlimits: {body: 1536}\napi:\n"+
		"  keys: [{name: shop, key: "+secret+"}]\nredis: {addresses: [h:1], password: "+secret+"}\n")
	l, err := Load(parsed(t, "--origins", "*"), []string{"LINEMAN_CONFIG=" + file, "LINEMAN_DRAIN=90s"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range l.Explain() {
		got[e.Key] = e.Text() + " " + e.Source
	}
	for key, want := range map[string]string{
		"listen":        "127.0.0.1:1234 default",
		"dev":           "false default",
		"origins":       `["*"] flag --origins`,
		"drain":         "1m30s environment LINEMAN_DRAIN",
		"cookie":        `"" default`,
		"limits.body":   "1536 file " + file + ":2",
		"token.secrets": "[(secret, 20 characters)] file " + file + ":1",
		"api.keys": `[{key: (secret, 20 characters), key_file: "", name: shop, scopes: [], targets: []}] ` +
			`file ` + file + ":4",
		"redis.password": "(secret, 20 characters) file " + file + ":5",
		"namespaces": "{default: {history: {bytes: 0, class: stream, size: 0, ttl: 0s}, max_message: 0, " +
			"max_present: 1000, max_subscribers: 0, presence: none, publish: none, publish_rate: 10, " +
			"subscribe: token}} default",
	} {
		if got[key] != want {
			t.Errorf("%s is %s, want %s", key, got[key], want)
		}
	}
	if n := len(leaves(settings())); len(got) != n {
		t.Errorf("%d rows for %d settings", len(got), n)
	}
	text, err := json.Marshal(l.Explain())
	if err != nil || strings.Contains(string(text)+fmt.Sprint(got), "hush") {
		t.Errorf("%s, %v", text, err)
	}
}

// TestFlow has YAML read again what was written of a value.
func TestFlow(t *testing.T) {
	for _, text := range []string{
		"", "a", "1", "1.5", "true", "null", "~", "yes", "*", "::1", ":80", "a b", "a: b", "- a", "#a", "[a]", "{a}",
		"10s", "64KiB", "127.0.0.1:80", "10.0.0.0/8", "0x10", "1e3", "1:30", "https://example.com", "\"", "a\nb", "é",
		"/a/b", "2020-01-01", "a,b", "b]",
	} {
		for _, value := range []any{text, []any{text, text}, map[string]any{text: text}} {
			var back any
			if err := yaml.Unmarshal([]byte(flow(value)), &back); err != nil || fmt.Sprint(back) != fmt.Sprint(value) {
				t.Errorf("%v is %s, and that %v, %v", value, flow(value), back, err)
			}
		}
	}
}
