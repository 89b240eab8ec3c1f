package figures_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
)

// wordOf is what a node tells that has published so much a second.
func wordOf(id string, published float64) *figures.Word {
	return &figures.Word{
		Node: figures.Node{ID: id, Name: "host:" + id, Now: figures.Figures{
			At: 5, Conns: figures.Conns{Pages: 10},
			Rates:  figures.Rates{Published: published, Refused: 1, RefusedBy: map[string]float64{"late": 1}},
			Broker: figures.Broker{Linked: true},
		}, Groups: []figures.Group{
			{Name: "of " + id, Listeners: 1}, {Name: "chat", Listeners: 2, Waiting: 3, Bytes: 4, Held: 5, Dropped: 6},
		}, Hooks: []figures.Hook{{Name: "app", Open: id == "b", Asked: 1, Requests: 2, Failed: 3, Dead: 4}}},
		Top:      figures.Top{Channels: []figures.Busy{{Name: "chat", Delivered: 2}, {Name: "of " + id, Delivered: 1}}},
		Slow:     figures.SlowPages{{Conn: "c:" + id, Bytes: int(published)}},
		Refusals: []figures.Refusal{{At: int64(published), Reason: "late"}},
	}
}

// states are those of all nodes at an instant.
func states(n *figures.Nodes, now, reached time.Time) string {
	var all []string
	for _, w := range n.Words(now, reached) {
		all = append(all, fmt.Sprint(w.Node.ID, " ", w.Node.State))
	}
	return strings.Join(all, ", ")
}

// TestNodes has a node that is silent be gone, unless nobody can be reached, and be forgotten after a while.
func TestNodes(t *testing.T) {
	n, now := figures.NewNodes(), begin
	leaving := wordOf("c", 1)
	leaving.Node.State = figures.Leaving
	for _, w := range []*figures.Word{wordOf("b", 1), wordOf("a", 1), leaving} {
		n.Hear(w, now)
	}
	for _, at := range []struct {
		after, reached time.Duration // reached: -1 means not at all
		want           string
	}{
		{time.Second, 0, "a live, b live, c leaving"},
		{6 * time.Second, -1, "a away, b live, c away"},
		{6 * time.Second, 5 * time.Second, "a away, b live, c away"},
		{6 * time.Second, 0, "a gone, b live, c gone"},
		{9 * time.Minute, 0, "a gone, b live, c gone"},
		{11 * time.Minute, 0, "b live"},
	} {
		n.Hear(wordOf("b", 1), now.Add(at.after))
		reached := now.Add(at.reached)
		if at.reached < 0 {
			reached = time.Time{}
		}
		if got := states(n, now.Add(at.after), reached); got != at.want {
			t.Errorf("after %v, reached since %v: %s, want %s", at.after, at.reached, got, at.want)
		}
	}
	n.Leave("b")
	if got := states(n, now.Add(11*time.Minute), now); got != "" {
		t.Errorf("who says that it has gone is still %s", got)
	}
}

// TestNodesBound keeps a bounded number: who was silent for longest makes room, and nobody who is there.
func TestNodesBound(t *testing.T) {
	n := figures.NewNodes()
	for i := range 150 {
		n.Hear(wordOf(fmt.Sprint(i), 1), begin)
	}
	if got := len(n.Words(begin, begin)); got != 100 {
		t.Errorf("%d nodes are kept", got)
	}
	for i := range 3 {
		n.Hear(wordOf(fmt.Sprint("new", i), 1), begin.Add(time.Minute))
	}
	got := states(n, begin.Add(time.Minute), begin)
	if strings.Count(got, "gone") != 97 || strings.Count(got, "live") != 3 {
		t.Errorf("the nodes are %s", got)
	}
}

// TestReportOfNodes adds up those that are there.
func TestReportOfNodes(t *testing.T) {
	words := []figures.Word{*wordOf("a", 1), *wordOf("b", 2), *wordOf("c", 4)}
	words[0].Node.State, words[1].Node.State, words[2].Node.State = figures.Live, figures.Leaving, figures.Gone
	r := figures.Report{Now: figures.Figures{At: 77}}
	for range 2 { // nothing is counted in the words
		r.Take(words)
	}
	if f := r.All; f.At != 77 || f.Conns.Pages != 20 || f.Rates.Published != 3 || f.Rates.RefusedBy["late"] != 2 {
		t.Errorf("all are %+v", f)
	}
	if got := fmt.Sprint(r.Groups, r.Hooks); got != "[{chat 4 6 8 10 12} {of a 1 0 0 0 0} {of b 1 0 0 0 0}] "+
		"[{app true 2 4 6 8}]" {
		t.Errorf("back ends hear by %s", got)
	}
	newest := r.Refusals[0]
	got := fmt.Sprintln(len(r.Nodes), r.Top.Channels, r.Slow, newest.At, newest.Node, len(r.Refusals))
	if got != "3 [{chat 0 4} {of a 0 1} {of b 0 1}] [{c:b   2} {c:a   1}] 2 host:b 2\n" {
		t.Errorf("it tells %s", got)
	}
}
