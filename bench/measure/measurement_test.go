//go:build linux

package main

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// quickly is a measurement as -quick makes it.
func quickly(t *testing.T) *measurement {
	t.Helper()
	if runtime.NumCPU() < 2 {
		t.Skip("one core: a server and its clients want two")
	}
	t.Chdir("..")
	o := options{rounds: 1, length: 50 * time.Millisecond, many: 100, quick: true}
	b, err := newBuilder(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	return newMeasurement(o, b)
}

// TestRival measures a rival beside Lineman, and in a quick run only once.
func TestRival(t *testing.T) {
	m := quickly(t)
	contenders := only(serving("ws"), "Lineman", "gws")
	if len(contenders) != 2 {
		t.Fatalf("contenders are %v", contenders)
	}
	c := m.cost("ws echo", contenders, 10, webSocket, echoText("hello", 2), aim{"Lineman", "gws", 1})
	o := m.measure(c)
	if len(o.Failures) > 0 {
		t.Fatal(o.Failures)
	}
	for _, who := range []string{"Lineman", "gws"} {
		if _, ok := o.Rows[0].Figures[who]; !ok {
			t.Errorf("no figure of %s: %v", who, o.Rows)
		}
	}
	if o = m.measure(c); len(o.Failures) > 0 || len(o.Contenders) != 1 || o.Contenders[0] != "Lineman" {
		t.Errorf("the second time: %v, %v; want Lineman alone", o.Contenders, o.Failures)
	}
	if m.versions()["gws"] == "" {
		t.Error("nobody tells the version of gws")
	}
}

// TestWrongAnswer has a server that answers wrongly left out, and the report say so.
func TestWrongAnswer(t *testing.T) {
	m := quickly(t)
	wrong := exchange([]byte("hellO\n"), 1, func() [][]byte { return [][]byte{[]byte("hello\n")} })
	o := m.measure(m.cost("text echo", only(serving("text"), "Lineman"), 2, plain, wrong))
	r := report{Sections: []section{{Cases: []outcome{o}}}}
	failed := strings.Join(r.failed(), "\n")
	if len(o.Contenders) != 0 || !strings.Contains(failed, `got "hello\n", want "hellO\n"`) {
		t.Errorf("%v, %q, want it to tell what came", o.Contenders, failed)
	}
}

// TestAbsent leaves out what cannot be had, and says so.
func TestAbsent(t *testing.T) {
	m := quickly(t)
	o := m.measure(m.cost("ws echo", only(serving("ws"), "gnet"), 2, webSocket, echoText("hello", 1)))
	if len(o.Contenders)+len(o.Failures) != 0 {
		t.Errorf("%v, %v; want nobody", o.Contenders, o.Failures)
	}
	if all := m.leftOut(); len(all) != 1 || all[0].Program != "gnet" || !strings.Contains(all[0].Why, "-with gnet=") {
		t.Errorf("left out are %v, want gnet, and how to give it", all)
	}
}

// TestMost leaves a rival out of a case with more connections than it takes.
func TestMost(t *testing.T) {
	m := quickly(t)
	m.recipes["few"] = func(*builder) (*program, error) { return &program{most: 1000}, nil }
	for conns, want := range map[int]int{1000: 1, 1001: 0} {
		some := m.present(testCase{conns: conns, contenders: []contender{{"few", "few", "ws"}}},
			func(who contender, err error) { t.Errorf("%s: %v", who.name, err) })
		if len(some) != want {
			t.Errorf("%d connections: %v; want %d", conns, some, want)
		}
		m.quick = false // both times
	}
}

// TestRivals has each rival known by one name, and its program made by somebody.
func TestRivals(t *testing.T) {
	b, err := newBuilder(t.TempDir(), options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range rivals {
		if seen[r.name] || b.recipes[r.program] == nil || r.serves == "" {
			t.Errorf("%+v: it comes twice, nobody makes it, or it serves nothing", r)
		}
		seen[r.name] = true
	}
	got, want := only(serving("http"), "Handler"), contender{"Handler", "subject", "handler"}
	if len(got) != 1 || got[0] != want {
		t.Errorf("Handler is %v, want %v", got, want)
	}
}

func TestFiles(t *testing.T) {
	var f files
	for _, good := range []string{"gnet=/a", "nbio=/b=c"} {
		if err := f.Set(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	if f["gnet"] != "/a" || f["nbio"] != "/b=c" {
		t.Errorf("files are %v", map[string]string(f))
	}
	for _, bad := range []string{"", "gnet", "=x", "gnet="} {
		if f.Set(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
