package config

import (
	"errors"
	"strings"
	"testing"
)

// TestDocument has each mistake in a file be one line, with the line of the file, the key, and what to do.
func TestDocument(t *testing.T) {
	for text, lines := range map[string][]string{
		"lisen: :1":                        {":1: lisen: no such setting: did you mean listen?"},
		"\n\nbananas: 1":                   {":3: bananas: no such setting: lineman config show lists them"},
		"cert: x":                          {":1: cert: no such setting: did you mean tls.cert, or redis.cert?"},
		"key: x":                           {"did you mean tls.key, or redis.key?"},
		"text.listen: x":                   {":1: text.listen: no such setting: write listen: in the section text:"},
		"text:\n  lisn: x":                 {":2: text.lisn: no such setting: did you mean listen?"},
		"\"a b\": 1":                       {`:1: "a b": no such setting`},
		"\"a\\nconfig: b\": 1":             {`:1: "a\nconfig: b": no such setting`},
		"drain: 10":                        {`:1: drain: "10" has no unit: write 10s`},
		"drain: 10 s":                      {`:1: drain: "10 s": want a duration`},
		"drain:":                           {":1: drain: has no value"},
		"drain: null":                      {":1: drain: has no value"},
		"drain: [1s]":                      {":1: drain: found a list: want duration"},
		"drain: 5s\n\ndrain: 6s":           {":3: drain: is there already, on line 1"},
		"text: {auth: yes}":                {`:1: text.auth: "yes": want true or false`},
		"text: here":                       {":1: text: want settings with their names, found a single value"},
		"text: [1]":                        {"found a list"},
		"[1]":                              {":1: want settings with their names, found a list"},
		"hello":                            {":1: want settings with their names, found a single value"},
		"? [a]\n: 1":                       {":1: want the name of a setting, found a list"},
		"origins: a":                       {":1: origins: found a single value: want a list"},
		"origins: [[a]]":                   {"found a list in the list: want text"},
		"origins: [~]":                     {"found nothing in the list: want text"},
		"limits: {message: 1 MB}":          {`limits.message: "1 MB": want a size`},
		"limits: {message: 0}":             {"limits.message: 0: want more than 0"},
		"limits: {memory: -1KiB}":          {"limits.memory: -1KiB: want 0 or more"},
		"limits: {message: 9999999999GiB}": {`"9999999999GiB" is too large`},
		"limits: {places: 1.5}":            {`limits.places: "1.5": want a whole number`},
		"limits: {places: 99999999999999999999}": {"is too " +
			"large"},
		"limits: {handshakes_per_ip: .nan}":  {`".nan": want a number`},
		"limits: {handshakes_per_ip: nan}":   {`"nan": want a number`},
		"limits: {handshakes_per_ip: 1e999}": {`"1e999" is too large`},
		"limits: {handshakes_per_ip: -1}":    {"-1: want 0 or more"},
		"api: {keys: 0123456789abcdef}": {"api.keys: found a single value: want a list, each element with its " +
			"settings"},
		"api: {keys: [0123456789abcdef]}": {"api.keys[0]: want settings with their names",
			"api.keys[0].name: is empty", "api.keys[0].key: is empty"},
		"api: {keys: [{nam: a}]}": {"api.keys[0].nam: no such setting: did you mean name?",
			"[0].name: is empty", "[0].key: is empty"},
		"namespaces: [a]":                       {"namespaces: found a list: want names"},
		"namespaces: {a: {subscrib: all}}":      {"namespaces.a.subscrib: no such setting: did you mean subscribe?"},
		"namespaces: {a: {}, a: {}}":            {"namespaces.a: is there already, on line 1"},
		"a: &x 1\nb: *x":                        {":1: a: no such setting", ":2: b: aliases are not understood"},
		"text: &x {}\napi:\n  <<: *x":           {":3: api.<<: aliases are not understood"},
		"text:\n\tlisten: 1":                    {":2: a tab in front of the line: YAML wants spaces"},
		"text: {":                               {":1: no YAML: did not find expected node content"},
		"a: *x":                                 {"no YAML: an alias of nothing: quote a text that begins with *"},
		"drain: 5s\n---\ndrain: 6s":             {":2: a second document begins: want one"},
		"drain: x\nlog: {level: loud}\nxyzw: 1": {":1: drain:", ":2: log.level:", ":3: xyzw:"},
	} {
		_, err := loadFile(t, text)
		says(t, text, err, lines...)
	}
}

// TestBomb has aliases that would grow to gigabytes be refused at once.
func TestBomb(t *testing.T) {
	text := "a: &a [x]\n"
	for c := 'b'; c <= 'z'; c++ {
		last := string(c - 1)
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+last+",", 9) + "*" + last + "]\n"
	}
	_, err := loadFile(t, text)
	if !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	_, err = loadFile(t, strings.Replace(text, "z: ", "origins: ", 1))
	if err == nil || !strings.Contains(err.Error(), ":26: origins: found an alias in the list") {
		t.Error(err)
	}
}

// TestEnvironment has each mistake in the environment be one line with the variable.
func TestEnvironment(t *testing.T) {
	for entry, lines := range map[string][]string{
		"LINEMAN_DRAIN=10":                  {`config: LINEMAN_DRAIN: "10" has no unit`},
		"LINEMAN_DRAIN=":                    {`config: LINEMAN_DRAIN: "": want a duration`},
		"LINEMAN_DRIAN=10s":                 {"config: LINEMAN_DRIAN: no such setting: did you mean LINEMAN_DRAIN?"},
		"LINEMAN_TEXT_LISN=10s":             {"did you mean LINEMAN_TEXT_LISTEN?"},
		"LINEMAN_TEXT.LISTEN=10s":           {"did you mean LINEMAN_TEXT_LISTEN?"},
		"LINEMAN_=x":                        {"LINEMAN_: no such setting"},
		"LINEMAN_A\nB=x":                    {`"LINEMAN_A\nB": no such setting`},
		"LINEMAN_LOG_LEVEL=infos":           {`LINEMAN_LOG_LEVEL: "infos": did you mean info?`},
		"LINEMAN_API_KEYS=0123456789abcdef": {"LINEMAN_API_KEYS: api.keys: found a single value"},
		"LINEMAN_API_KEYS={":                {"LINEMAN_API_KEYS: no YAML"},
		"LINEMAN_API_KEYS=":                 nil,
		"LINEMAN_API_KEYS=[]":               nil,
		`LINEMAN_API_KEYS=[{"name":"a","key":"0123456789abcdef","scopes":["read"]}]`: nil,
		"LINEMAN_NAMESPACES={u: {}}": {
			"LINEMAN_NAMESPACES: namespaces.u: u and g are those of uids and groups"},
		"LINEMAN_TEXT_LISTEN=":                      nil,
		"LINEMAN_ORIGINS=":                          nil,
		"LINEMAN_ORIGINS=,":                         {`"": want an origin`, `"": want an origin`},
		"LINEMAN_TOKEN_KEY=abc":                     nil,
		"LINEMAN_POLLER=portable":                   nil,
		"LINEMAN_WORKER=3":                          nil,
		"LINEMAN_DAEMON=3":                          nil,
		"LINEMAN_MASTER=3":                          nil,
		"LINEMAN_SERVICE_HOST=10.0.0.1":             nil,
		"LINEMAN_SERVICE_PORT_HTTP=80":              nil,
		"LINEMAN_PORT=tcp://10.0.0.1":               nil,
		"LINEMAN_PORT_80_TCP=x":                     nil,
		"LINEMAN_REDIS_PORT=tcp://10.0.0.1:6379":    nil,
		"LINEMAN_REDIS_PORT_6379_TCP_ADDR=10.0.0.1": nil,
		"LINEMAN_REDIS_SERVICE_HOST=10.0.0.1":       nil,
		"LINEMAN_REDIS_SERVICE_PORT_REDIS=6379":     nil,
		"LINEMAN_REDIS_REPORT=x":                    {"LINEMAN_REDIS_REPORT: no such setting"},
		"LINEMANX=1":                                nil,
		"nonsense":                                  nil,
	} {
		_, err := Load(nil, []string{entry})
		says(t, entry, err, lines...)
	}
}

// TestSecrecy has no error tell a secret, wherever it was put by mistake.
func TestSecrecy(t *testing.T) {
	const secret = "hush-hush-0123456789"
	for _, text := range []string{
		"token: " + secret, "token: {secrets: " + secret + "}", "token: {secrets: {" + secret + ": 1}}",
		"token: {secrets: [[" + secret + "]]}", "token: [" + secret + "]", "api: {keys: [" + secret + "]}",
		"api: {keys: [{name: a, key: [" + secret + "]}]}",
		"api: {keys: [{name: a, key: &" + "a " + secret + "}, {name: b, key: *a}]}",
		"token: {jwks: \"ftp://u:" + secret + "@h\"}", "token: {jwks: \"https://u:" + secret + "@h\"}",
		"token: {jwks: \"http://h\\u0001" + secret + "\"}",
		"api: {keys: [{name: a, key: " + secret + "}, {name: b, key: " + secret + "}]}", "token: {secrets: [hush]}",
		"token: {secrets: [*" + secret + "]}", "redis: {password: " + secret + "}",
		"redis: {password: [" + secret + "]}", "redis: {addresses: [\"redis://u:" + secret + "@h:6379\"]}",
		"redis: {addresses: [u:" + secret + "@h:6379]}", "redis: {addresses: [h:1], sentinel_password: " + secret + "}",
	} {
		_, err := loadFile(t, text)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
