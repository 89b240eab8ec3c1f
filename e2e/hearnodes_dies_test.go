package e2e

import (
	"strings"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// nodeDies kills a node: its pages are told as closed, and what its listeners had not done goes on elsewhere.
func (h *earshot) nodeDies() {
	h.t.Helper()
	for _, e := range h.ears {
		e.kill()
	}
	h.ears = nil
	const dies = 2
	h.listen(dies, "one")
	h.listen(dies, "two")
	all := h.come(6)
	h.talk(all, 5, time.Now().Add(patience))
	linemantest.Until(h.t, "not all is heard", func() bool { return h.has(all, false) })
	<-time.After(2 * time.Second) // the node tells each second which connections it has
	for _, e := range h.ears {
		e.goDeaf()
	}
	var others []*talker // of level 0: they do not wait
	for _, k := range all {
		if k.node != dies && k.level == 0 {
			others = append(others, k)
		}
	}
	h.talk(others, 5, time.Now().Add(patience))
	linemantest.Until(h.t, "not all is sent", func() bool { return h.has(others, false) })
	h.listen(0, "one")
	h.listen(1, "two")
	m, began := h.nodes[dies], time.Now()
	kill(h.t, m.serving(), syscall.SIGKILL) // before its master, as it says goodbye when that has gone
	kill(h.t, -m.cmd.Process.Pid, syscall.SIGKILL)
	m.end()
	h.talk(others, 5, time.Now().Add(patience))
	h.buried(all, dies, began)
}

// buried checks what is told of the pages of a node that has died.
func (h *earshot) buried(all []*talker, dies int, began time.Time) {
	h.t.Helper()
	var dead, alive []*talker
	for _, k := range all {
		if k.node == dies {
			dead = append(dead, k)
		} else {
			alive = append(alive, k)
		}
	}
	linemantest.Until(h.t, "the pages of a node that died are not told as closed",
		func() bool { return h.has(dead, true) })
	h.t.Logf("told as closed after %v", time.Since(began).Round(time.Millisecond))
	linemantest.Until(h.t, "what a node had that died is lost", func() bool { return h.has(alive, false) })
	<-time.After(3 * time.Second) // others might tell it, too
	h.every(func(g *hearers) bool {
		for _, k := range dead {
			p := g.pages[k.uid]
			if took := p.closed.Sub(began); p.closes != 1 || p.code != 1006 || took > 12*time.Second {
				h.t.Errorf("of %s of the node that died is told, after %v: %+v", k.uid, took, *p)
			}
		}
		for _, k := range alive {
			if p := g.pages[k.uid]; p.closes > 0 {
				h.t.Errorf("of %s, which is alive, is told %+v", k.uid, *p)
			}
		}
		return true
	})
	for i, m := range h.nodes[:dies] {
		if out := m.said(); strings.Contains(out, "panic") {
			h.t.Errorf("node %d: %s", i, out)
		}
	}
}
