package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The list goes by seq, whatever comes first.
func TestOnlineListOfSeqs(t *testing.T) {
	l := newOnlineList()
	join := func(uid string, seq uint64) { l.take(presenceEvent{Type: "join", UID: uid, Seq: seq}) }
	leave := func(uid string, seq uint64) { l.take(presenceEvent{Type: "leave", UID: uid, Seq: seq}) }
	check := func(want ...string) {
		t.Helper()
		if got := l.online(); !slices.Equal(got, want) {
			t.Errorf("%q are online, want %q", got, want)
		}
	}
	join("a", 10)
	leave("a", 9) // late
	check("a")
	join("b", 12)
	leave("b", 13)
	check("a")
	l.begin([]string{"c"}, 20)
	check("c")
	join("a", 19) // late: the sync has it otherwise
	leave("c", 18)
	check("c")
	join("a", 21)
	check("a", "c")
	l.begin([]string{"c"}, 20) // again
	check("a", "c")
	leave("c", 22)
	check("a")
}

// The attendance finds each fault that is planted, and nothing where there is none.
func TestJudgeOfAttendance(t *testing.T) {
	const debounce = time.Second
	for name, test := range map[string]struct {
		// each step takes 400 ms: c a page comes, w it goes, j join, l leave, s a sync without it, . nothing
		happens string
		want    string
	}{
		"as it should be":            {"cj.w...lcj", ""},
		"a reload":                   {"cj.wc...", ""},
		"two pages":                  {"cjcw....", ""},
		"a sync while it is away":    {"cjws.cj", ""},
		"a late join":                {"c.j", ""},
		"it came back just now":      {"cj.w..cl.j", ""},
		"it has left too early":      {"cj.wlcj", "has left"},
		"it has left while it is":    {"cj....lj", "has left"},
		"it is shown too late":       {"c....j", "shown offline"},
		"it is not shown at the end": {"c....", "shown offline"},
		"a sync has forgotten it":    {"cj..s....j", "shown offline"},
	} {
		a, at := newAttendance(debounce), time.Unix(1, 0)
		for _, step := range test.happens {
			switch step {
			case 'c':
				a.came("u", at)
			case 'w':
				a.went("u", at)
			case 'j':
				a.show(move{"u", true}, "join", at)
			case 'l':
				a.show(move{"u", false}, "leave", at)
			case 's':
				a.show(move{"u", false}, "sync", at)
			}
			at = at.Add(400 * time.Millisecond)
		}
		a.end(at)
		said := strings.Join(a.complaints, "; ")
		if (test.want == "") != (said == "") || !strings.Contains(said, test.want) {
			t.Errorf("%s: it complains of %q", name, said)
		}
	}
}
