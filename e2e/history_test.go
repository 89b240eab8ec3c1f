package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestHistory publishes from outside, reads what came after a position, and is told of a gap after a restart, which
// loses what a process has in memory.
func TestHistory(t *testing.T) {
	type answer struct {
		OK       bool
		Pos      map[string]string
		Messages []struct {
			Pos  string
			Data struct{ Order int }
		}
		Top, Gap string
	}
	ask := func(p push, lines ...string) (answers []answer) {
		t.Helper()
		for _, text := range strings.Split(strings.TrimSuffix(p.ask(strings.Join(lines, "\n")+"\n"), "\n"), "\n") {
			var a answer
			if err := json.Unmarshal([]byte(text), &a); err != nil || !a.OK {
				t.Fatalf("the answer %s, %v", text, err)
			}
			answers = append(answers, a)
		}
		return answers
	}
	pub := func(order string) string { return `{"cmd":"pub","to":"u:ann","data":{"order":` + order + `}}` }
	since := func(pos string) string { return `{"cmd":"history","to":"u:ann","since":"` + pos + `"}` }

	p := startLineman(t, "--history-uids-size", "100", "--history-uids-ttl", "1h")
	published := ask(p, pub("1"), pub("2"), pub("3"))
	first, last := published[0].Pos["u:ann"], published[2].Pos["u:ann"]
	read := ask(p, since(first), since(last))
	if got := read[0]; got.Gap != "" || got.Top != last || len(got.Messages) != 2 || got.Messages[0].Data.Order != 2 ||
		got.Messages[1].Data.Order != 3 || got.Messages[1].Pos != last {
		t.Errorf("since the first: %+v", got)
	}
	if got := read[1]; got.Gap != "" || len(got.Messages) != 0 {
		t.Errorf("since the last: %+v", got)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exit code %d", code)
	}

	again := startLineman(t, "--history-uids-size", "100")
	ask(again, pub("4"))
	if got := ask(again, since(last))[0]; got.Gap != "epoch" || len(got.Messages) != 0 || got.Top == "" {
		t.Errorf("after a restart: %+v", got)
	}
}
