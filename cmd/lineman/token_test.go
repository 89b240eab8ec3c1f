package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/push/token"
)

const tokenSecret = "0123456789abcdef0123456789abcdef"

// runCommand runs a command line and gives what it prints.
func runCommand(in string, args ...string) (string, error) {
	var out bytes.Buffer
	c := root()
	c.SetArgs(args)
	c.SetIn(strings.NewReader(in))
	c.SetOut(&out)
	c.SetErr(&out)
	err := c.Execute()
	return out.String(), err
}

// TestToken makes credentials by a secret and by a private key, and checks them.
func TestToken(t *testing.T) {
	folder := t.TempDir()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, text []byte) string {
		name = filepath.Join(folder, name)
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	secretFile := file("secret", []byte(tokenSecret+"\r\n"))
	privateFile := file("private", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	publicFile := file("public", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	t.Setenv(tokenVariable, tokenSecret)
	claims := []string{
		"token", "--uid", "7", "--channel", "chat:*", "--channel", "a,b", "--publish", "chat:42", "--group", "room",
		"--expires", "2h",
		"--info", `{"name":"Ann"}`,
	}
	for _, c := range []struct {
		name        string
		make, check []string
		begins      string
	}{
		{"a JWT by the environment", nil, []string{"--key-file", secretFile}, "ey"},
		{"a JWT by a file", []string{"--key-file", secretFile}, nil, "ey"},
		{"a ticket", []string{"--ticket"}, nil, "t1."},
		{"EdDSA", []string{"--key-file", privateFile}, []string{"--key-file", publicFile}, "ey"},
		{"EdDSA, checked by the private key", []string{"--key-file", privateFile, "--kid", "1"},
			[]string{"--key-file", privateFile}, "ey"},
	} {
		credential, err := runCommand("", append(claims[:len(claims):len(claims)], c.make...)...)
		if err != nil || !strings.HasPrefix(credential, c.begins) {
			t.Errorf("%s: %q, %v", c.name, credential, err)
		}
		credential = strings.TrimSuffix(credential, "\n")
		check := append([]string{"token", "check"}, c.check...)
		byArgument, err := runCommand("", append(check, credential)...)
		if err != nil ||
			!strings.HasPrefix(byArgument, "uid      7\nchannel  chat:*\nchannel  a,b\npublish  chat:42\n"+
				"group    room\ninfo     {\"name\":\"Ann\"}\nissued   20") {
			t.Errorf("%s: %q, %v", c.name, byArgument, err)
		}
		if byInput, err := runCommand(credential+"\n", check...); byInput != byArgument || err != nil {
			t.Errorf("%s: %q, %v by the standard input", c.name, byInput, err)
		}
		if _, err := runCommand("", append(check, credential+"AAAA")...); !errors.Is(err, token.ErrSignature) {
			t.Errorf("%s, with more behind it: %v", c.name, err)
		}
	}
}

// TestTokenWrong says what to do, and never the key.
func TestTokenWrong(t *testing.T) {
	t.Setenv(tokenVariable, "")
	if _, err := runCommand("", "token", "--uid", "7"); err == nil || !strings.Contains(err.Error(), "--key-file") {
		t.Error("without a key:", err)
	}
	t.Setenv(tokenVariable, "sesame")
	for _, args := range [][]string{{"token", "--uid", "7"}, {"token", "check", "x"}} {
		if _, err := runCommand("", args...); !errors.Is(err, token.ErrKey) || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q with a short secret: %v", args, err)
		}
	}
	t.Setenv(tokenVariable, tokenSecret)
	for _, args := range [][]string{
		{"token", "7"}, {"token", "--uid", "7", "--expires", "-1h"}, {"token", "--uid", "7", "--expires", "soon"},
		{"token", "check", "a", "b"}, {"token", "--secret", "x"},
	} {
		var usage *usageError
		if _, err := runCommand("", args...); !errors.As(err, &usage) {
			t.Errorf("%q: %v, want an error of usage", args, err)
		}
	}
	if _, err := runCommand("", "token"); !errors.Is(err, token.ErrUID) || !strings.Contains(err.Error(), "by --uid") {
		t.Error("without a uid:", err)
	}
}

// TestTokenSettings makes and checks credentials as the server with the same settings does.
func TestTokenSettings(t *testing.T) {
	t.Setenv(tokenVariable, "")
	t.Setenv("LINEMAN_TOKEN_SECRETS", tokenSecret+",the one that was there before")
	t.Setenv("LINEMAN_TOKEN_AUDIENCE", "push")
	t.Setenv("LINEMAN_TOKEN_CLAIM", "user")
	credential, err := runCommand("", "token", "--uid", "7")
	if err != nil {
		t.Fatal(err)
	}
	credential = strings.TrimSpace(credential)
	if got, err := runCommand("", "token", "check", credential); err != nil || !strings.HasPrefix(got, "uid      7\n") {
		t.Errorf("%q, %v", got, err)
	}
	other, err := runCommand("", "token", "--uid", "7", "--audience", "another")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runCommand("", "token", "check", strings.TrimSpace(other)); !errors.Is(err, token.ErrAudience) {
		t.Errorf("for another audience: %v", err)
	}
	t.Setenv("LINEMAN_TOKEN_SECRETS", "a new secret of some length,"+tokenSecret)
	if _, err := runCommand("", "token", "check", credential); err != nil {
		t.Errorf("after the secret was replaced: %v", err)
	}
	t.Setenv("LINEMAN_TOKEN_SECRETS", "a new secret of some length")
	if _, err := runCommand("", "token", "check", credential); !errors.Is(err, token.ErrSignature) {
		t.Errorf("when the old secret is gone: %v", err)
	}
}
