package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// TestFiles has config check, start and doctor agree about each file and folder that a setting names, and each port's
// own files.
func TestFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("text", "hello\n", 0o600)
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("text", "link"); err != nil {
		t.Skip(err)
	}
	const keys = "token: {secrets: [hush-hush-0123456789]"
	const hook = "hooks: {a: {url: 'http://10.0.0.1/', private: true, events: [close], "
	for settings, want := range map[string]string{
		"tls: {cert: none, key: " + key + "}":              `tls.cert: "none": no such file`,
		"tls: {cert: " + cert + ", key: none}":             `tls.key: "none": no such file`,
		"tls: {cert: text, key: " + key + "}":              `tls.cert: "text", with the key`,
		"tls: {cert: folder, key: " + key + "}":            `tls.cert: "folder": is a folder: want a file`,
		"tls: {cert: " + cert + ", key: text}":             `tls.cert: `,
		"tls: {auto: [example.com], cache: text}":          `tls.cache: "text": is a file: want a folder`,
		"tls: {auto: [example.com], cache: text/more}":     `tls.cache: `,
		"history: {journal: text, uids: {size: 1}}":        `history.journal: "text": is a file: want a folder`,
		hook + "dead_letters: folder}}":                    `hooks.a.dead_letters: "folder": is no regular file`,
		hook + "dead_letters: none/such}}":                 `hooks.a.dead_letters: the folder "none": no such file`,
		"history: {journal: text/x, uids: {size: 1}}":      `history.journal: `,
		"token: {public_keys: [none]}":                     `token.public_keys: "none": no such file`,
		"token: {public_keys: [text]}":                     `token.public_keys: "text": `,
		keys + ", revocations: folder}":                    `token.revocations: `,
		keys + ", revocations: text}":                      `token.revocations: `,
		keys + ", revocations: link}":                      `token.revocations: link is a symbolic link`,
		keys + ", revocations: none/such}":                 `token.revocations: the folder "none": no such file`,
		"token: {secret_files: [none]}":                    `token.secret_files: "none": no such file`,
		"api: {keys: [{name: a, key_file: none}]}":         `api.keys[0].key_file: "none": no such file`,
		"redis: {addresses: ['h:1'], tls: true, ca: none}": `redis.ca: "none": no such file`,
		"redis: {addresses: ['h:1'], tls: true, ca: text}": `redis.ca: "text": has no certificate in PEM`,
		"redis: {addresses: ['h:1'], password_file: none}": `redis.password_file: "none": no such file`,
		"redis: {addresses: ['h:1'], tls: true, cert: a, key: " + key + "}": `redis.cert: "a": ` +
			`no such file`,
	} {
		write("lineman.yaml", settings+"\n", 0o600)
		for _, command := range []string{"config check", "start", "start -d", "restart"} {
			if out, err := run(strings.Fields(command)...); err == nil || !strings.Contains(err.Error(), want) ||
				strings.Contains(out, "ok") {
				t.Errorf("%s: %s: %q, %v, want %s", settings, command, out, err, want)
			}
		}
		out, err := run("doctor")
		if err == nil || !strings.Contains(out+err.Error(), want) {
			t.Errorf("%s: doctor: %q, %v, want %s", settings, out, err, want)
		}
	}
	if runtime.GOOS == "windows" {
		return // there are no modes, and no files of the server's own
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	write("lineman.yaml", "tls: {cert: "+cert+", key: "+key+"}\n", 0o600)
	if out, err := run("config", "check"); err != nil ||
		!strings.Contains(out, "warning: tls.key: every user of this machine can read "+key) {
		t.Errorf("a key that all can read: %q, %v", out, err)
	}
	for _, name := range []string{"lineman.log", "lineman.pid", "lineman.sock"} {
		own := filepath.Base(os.Args[0]) + filepath.Ext(name) // of this program's name
		if err := os.Symlink("text", own); err != nil {
			t.Fatal(err)
		}
		if out, err := run("config", "check"); err == nil || !strings.Contains(err.Error(), own) {
			t.Errorf("%s: %q, %v", own, out, err)
		}
		if err := os.Remove(own); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := filepath.Glob(".lineman-check-*"); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}
