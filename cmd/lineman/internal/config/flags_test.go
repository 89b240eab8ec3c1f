package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestFlags has a flag for each setting but secrets, the common ones in the help.
func TestFlags(t *testing.T) {
	f := parsed(t)
	for _, s := range leaves(settings()) {
		if flag := f.Lookup(s.flag()); (flag != nil) != s.hasFlag() {
			t.Errorf("%s: a flag %v", s.key, flag)
		}
	}
	for _, name := range []string{
		"token-secrets", "api-keys", "namespaces", "hooks", "redis-password", "redis-sentinel-password",
	} {
		if f.Lookup(name) != nil {
			t.Errorf("--%s is a flag", name)
		}
	}
	help := f.FlagUsages()
	for _, line := range []string{
		"--config file", "--text string", `(default "127.0.0.1:1234")`, "--dev  ", "--origins list",
		"--log-level string",
	} {
		if !strings.Contains(help, line) {
			t.Errorf("the help has no %s:\n%s", line, help)
		}
	}
	if n := strings.Count(help, "\n"); n != len(common)+1 {
		t.Errorf("the help has %d lines:\n%s", n, help)
	}
	for _, key := range common {
		if !strings.Contains(help, "--"+(&setting{key: key}).flag()+" ") {
			t.Errorf("the help has no %s", key)
		}
	}
}

// TestFlagError has wrong flags be answered with what to do, and without the value.
func TestFlagError(t *testing.T) {
	for arg, want := range map[string]string{
		"--listn=:1": "unknown flag: --listn: did you mean --listen?",
		"--origin=x": "did you mean --origins?",
		"--token-secret=hush": "token.secrets has none, for every user of this machine can read a command line: " +
			"write it in the file, or in LINEMAN_TOKEN_SECRETS",
		"--token-secrets=hush": "unknown flag: --token-secrets: token.secrets has none",
		"--redis-password=hush": "redis.password has none, for every user of this machine can read a command line: " +
			"write it in the file, or in LINEMAN_REDIS_PASSWORD",
		"--api-key=hush":          "api.keys has none",
		"--namespaces={}":         "namespaces has none",
		"--bananas":               "unknown flag: --bananas: lineman config show lists the settings",
		"-x":                      "unknown shorthand flag: 'x' in -x",
		"--drain=10":              `"10" has no unit: write 10s`,
		"--dev=maybe":             "want true or false",
		"--limits-message=64K":    "want a size",
		"--limits-places=1.5":     "want a whole number",
		"--limits-places":         "flag needs an argument: --limits-places",
		"--token-secret-file=hus": "did you mean --token-secret-files?",
	} {
		f := pflag.NewFlagSet("start", pflag.ContinueOnError)
		Flags(f)
		err := FlagError(f, f.Parse([]string{arg}))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
}
