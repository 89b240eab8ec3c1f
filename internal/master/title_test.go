//go:build unix

package master

import "testing"

func TestTitle(t *testing.T) {
	for _, c := range []struct {
		program, worker string
		id              int
		want            string
	}{
		{"lineman", "pages", 0, "lineman pages/0"},
		{"lineman", "pages", 12, "lineman page/12"},
		{"echo", "echo", 0, "echo echo/0"},
		{"http-and-websocket", "web", 3, "http-and- web/3"},
		{"http-and-websocket", "both-of-them", 3, "http-and- bot/3"},
		{"a", "a-worker-of-a-long-name", 100, "a a-worker-/100"},
		{"zähler", "größe", 1000, "zähle gr/1000"},
		{"größe", "größe", 10, "größe grö/10"},
	} {
		if got := Title(c.program, c.worker, c.id); got != c.want {
			t.Errorf("%s %s/%d: %q, want %q", c.program, c.worker, c.id, got, c.want)
		}
	}
}
