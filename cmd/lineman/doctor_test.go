package main

import (
	"bytes"
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/doctor"
)

// TestDoctor examines what the settings want, and fails if a port is taken.
func TestDoctor(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	r := root()
	var out bytes.Buffer
	r.SetOut(&out)
	r.SetArgs(strings.Fields("doctor --json --listen " + addr +
		" --text 127.0.0.1:0 --api 127.0.0.1:0 --admin= --connections 1 --tls-cert no.pem --tls-key no.pem"))
	err = r.Execute()
	if err == nil || !strings.Contains(err.Error(), "checks have failed") {
		t.Errorf("the error is %v", err)
	}
	var all []doctor.Finding
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	verdicts := map[string]doctor.Verdict{}
	for _, f := range all {
		verdicts[f.Check] = f.Verdict
		if f.Check == "port of --listen" && !strings.Contains(f.Found, addr) {
			t.Errorf("%+v", f)
		}
	}
	for check, want := range map[string]doctor.Verdict{
		"port of --listen": doctor.Fail, "port of --text": doctor.OK, "port of --api": doctor.OK, "port of --admin": "",
		"certificate": doctor.Fail,
	} {
		if verdicts[check] != want {
			t.Errorf("%s: %q, want %q", check, verdicts[check], want)
		}
	}
}

// TestTell fails if a check has failed, and says what to do in either form.
func TestTell(t *testing.T) {
	good := doctor.Finding{Check: "kernel", Verdict: doctor.OK, Found: "6.1"}
	bad := doctor.Finding{Check: "open files", Verdict: doctor.Fail, Found: "1024", Fix: "ulimit -n '<more>'"}
	for _, c := range []struct {
		all    []doctor.Finding
		asJSON bool
		want   string
		fails  bool
	}{
		{[]doctor.Finding{good}, false, "ok    kernel  6.1\n", false},
		{[]doctor.Finding{good, bad}, false,
			"ok    kernel      6.1\nfail  open files  1024\n      fix: ulimit -n '<more>'\n", true},
		{[]doctor.Finding{bad}, true, `"fix": "ulimit -n '<more>'"`, true},
	} {
		var out bytes.Buffer
		if err := tell(&out, c.all, c.asJSON); (err != nil) != c.fails || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: %v, %q, want %q", c.all, err, out.String(), c.want)
		}
	}
}

// TestExamined has each process counted, and Redis be as the settings say.
func TestExamined(t *testing.T) {
	c := config.Default()
	c.Count, c.Limits.Connections, c.Redis.Addresses, c.Redis.User, c.Redis.TLS = 3, 1000,
		[]string{"localhost:6379"}, "push", true
	o := examined(&c, 0)
	if o.Processes != 3 || o.Connections != 3000 || o.Queued != 3*c.Limits.Memory {
		t.Errorf("%+v", o)
	}
	if last := o.Ports[len(o.Ports)-1]; len(o.Ports) != 6 || last.Addr != "127.0.0.1:6783" {
		t.Errorf("%+v", o.Ports)
	}
	if o.Redis.User != "push" || o.Redis.Prefix != "lineman" || o.Redis.TLS == nil {
		t.Errorf("%+v", o.Redis)
	}
	c.Hooks = map[string]config.Hook{
		"b": {URL: "https://b", Decides: []string{"rpc"}}, "a": {Events: []string{"close"}},
	}
	h := examined(&c, 0).Hooks
	if len(h) != 2 || h[0].Name != "a" || !h[0].Tells || h[1].URL != "https://b" || h[1].Tells {
		t.Errorf("%+v", h)
	}
	if o := examined(&c, 7); o.Connections != 7 || o.Descriptors != c.Files(7) || o.Descriptors < 7 {
		t.Errorf("%d connections, %d descriptors", o.Connections, o.Descriptors)
	}
}
