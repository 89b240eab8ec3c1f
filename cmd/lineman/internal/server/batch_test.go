package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// lines is a batch of one command, or of several if the path is batch.
func lines(path string, all ...string) call {
	return post(path, strings.Join(all, "\n")).with("Content-Type", "application/x-ndjson")
}

// crowded is a server with pages that have sessions of 4 KiB, and how many.
func crowded(t *testing.T, c config.Config) (r *running, pages int) {
	t.Helper()
	r, pages = start(t, c, server.Options{}), 50
	b := r.backend()
	for range pages {
		r.page("ann")
	}
	r.counts(b, "*", pages)
	if got := ask(b, `{"cmd":"session","to":"*","data":"`+strings.Repeat("x", 4000)+`"}`); got != `{"ok":true,"n":50}` {
		t.Fatal(got)
	}
	return r, pages
}

// TestBatchAnswers bounds the answers of a batch: what comes behind is not done, and told so.
func TestBatchAnswers(t *testing.T) {
	r, pages := crowded(t, devMode())
	asked := strings.Split(strings.Repeat(`{"cmd":"sessions","to":"*"}`+"\n", 1500), "\n")
	asked[1500] = `{"cmd":"kick","to":"*"}`
	status, text := r.call(lines("batch", asked...))
	answers := strings.Split(text, "\n")
	if status != 200 || len(answers) != len(asked) || len(text) > 5<<20 {
		t.Fatalf("%d with %d answers of %d bytes", status, len(answers), len(text))
	}
	done := 0
	for strings.HasPrefix(answers[done], `{"ok":true,"sessions":`) {
		done++
	}
	if done < 10 || done > 40 {
		t.Errorf("%d lines were done", done)
	}
	for _, a := range answers[done:] {
		if a != `{"ok":false,"error":{"code":"too_many","text":"not done: the answers to the lines before it have `+
			`more than 4 MiB: ask again from here on"}}` {
			t.Fatalf("a line behind the bound is answered %.200s", a)
		}
	}
	r.counts(r.backend(), "*", pages)
}

// TestBatchLines does nothing of a batch that has too many lines.
func TestBatchLines(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	line := `{"to":"u:x","text":"x"}`
	if status, text := r.call(
		lines("pub", strings.Split(strings.Repeat(line+"\n\n", 10_000), "\n")...)); status != 200 ||
		strings.Count(text, `{"ok":true,"n":0}`) != 10_000 {
		t.Errorf("%d with %d bytes", status, len(text))
	}
	if status, text := r.call(lines("pub", strings.Split(strings.Repeat(line+"\n", 10_001), "\n")...)); status != 400 ||
		!strings.Contains(text, "more than 10000 lines: nothing was done") {
		t.Errorf("%d %.200s", status, text)
	}
}

// TestBatchRate counts each line of a batch as a command of its key.
func TestBatchRate(t *testing.T) {
	c := devMode()
	c.API.Keys = []config.Key{{Name: "all", Key: "a secret of 22 letters"}}
	c.Limits.CommandsPerKey = 2.0 / 5 // and no more within the test than two at once
	r := start(t, c, server.Options{})
	line := `{"to":"u:x","text":"x"}`
	batch := lines("pub", line, line, line, line).with("Authorization", "Bearer a secret of 22 letters")
	status, text := r.call(batch)
	if status != 200 || strings.Count(text, `{"ok":true,"n":0}`) != 2 ||
		strings.Count(text, `"too_many","text":"too many commands: try again later"`) != 2 {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := r.call(post("pub", line).with("Authorization", "Bearer a secret of 22 letters")); status != 429 {
		t.Errorf("after them: %d", status)
	}
}

// TestBatchTurns has others get their answers while a batch is done.
func TestBatchTurns(t *testing.T) {
	r := start(t, devMode(), server.Options{})
	b := r.backend()
	r.page("ann")
	r.known(b, "ann")
	const most = 9_999
	all := make([]string, 0, most)
	for n := range most {
		all = append(all, fmt.Sprintf(`{"to":"u:ann","data":%d}`, n+1))
	}
	all = append(all, `{"to":"u:ann","data":null}`)
	for range 20 { // until somebody asks in the midst of it
		ended := make(chan string, 1)
		go func() {
			_, text := r.call(lines("session", all...))
			ended <- text
		}()
		for seen := false; !seen; {
			seen = strings.Contains(ask(b, `{"cmd":"sessions","to":"*"}`), `"sessions"`)
			select {
			case text := <-ended:
				if n := strings.Count(text, `{"ok":true,"n":1}`); n != most+1 {
					t.Fatalf("%d lines were done", n)
				}
				if seen {
					return
				}
				seen = true
			default:
				if seen {
					<-ended
					return
				}
			}
		}
	}
	t.Error("nobody was answered while a batch was done")
}

// TestRequestTurns has others get their answers while the requests that one back end has sent ahead are done: lines,
// and calls of the HTTP API.
func TestRequestTurns(t *testing.T) {
	r, pages := crowded(t, devMode())
	for ; pages < 300; pages++ { // so that the requests take more than a time slice on a fast machine too
		r.page(fmt.Sprint("page", pages))
	}
	r.counts(r.backend(), "*", pages)
	api, _, _ := strings.Cut(strings.TrimPrefix(r.api, "http://"), "/")
	for name, w := range map[string]struct {
		connect func() *linemantest.Client
		request func(command, fields string) string
		answer  func(c *linemantest.Client) string
	}{
		"lines": {
			r.backend,
			func(command, fields string) string { return fmt.Sprintf(`{"cmd":"%s",%s}`+"\n", command, fields) },
			(*linemantest.Client).Receive,
		},
		"calls": {
			func() *linemantest.Client {
				return linemantest.NewClient(t, dial(t, api), &lineman.Worker{Addr: "http://127.0.0.1:0"})
			},
			func(command, fields string) string {
				return fmt.Sprintf("POST /v1/%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
					"Content-Length: %d\r\n\r\n{%s}", command, len(fields)+2, fields)
			},
			func(c *linemantest.Client) string {
				_, text := c.Response("")
				return strings.TrimSpace(text)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			greedy, other := w.connect(), r.backend()
			var ahead strings.Builder
			requests := 0
			for ; ahead.Len() < 50<<10; requests += 2 { // what is read at once
				ahead.WriteString(w.request("session", fmt.Sprintf(`"to":["u:ann","*"],"data":%d`, requests)))
				ahead.WriteString(w.request("pub", `"to":["u:ann","*"],"text":"x"`))
			}
			for range 20 { // until the time slice was over in the midst of it
				ask(other, `{"cmd":"session","to":"*","data":null}`)
				held, release := make(chan bool), make(chan bool)
				go r.Do(r.pages, func(*lineman.Loop) {
					held <- true
					<-release
				})
				<-held
				greedy.Write(ahead.String())
				other.Write(`{"cmd":"sessions","to":"*"}` + "\n")
				close(release)
				got, all := other.Receive(), fmt.Sprintf(":%d,", requests-2)
				for range requests {
					if answer := w.answer(greedy); answer != fmt.Sprintf(`{"ok":true,"n":%d}`, pages) {
						t.Fatalf("the answer is %s", answer)
					}
				}
				none := strings.Contains(got, "null") || !strings.Contains(got, `"sessions"`)
				if !none && !strings.Contains(got, all) {
					return
				}
			}
			t.Error("nobody was answered while the requests were done")
		})
	}
}

// TestUnreadAnswers loses no long answer of a back end that reads late, and keeps no more of them than it has to.
func TestUnreadAnswers(t *testing.T) {
	r, _ := crowded(t, devMode())
	const asked = 200
	b := r.backend()
	b.Write(strings.Repeat(`{"cmd":"sessions","to":"*"}`+"\n"+`{"uid":"nobody"}`+"\n", asked))
	r.counts(r.backend(), "*", 50) // others are served
	for i := range asked {
		if got := b.Receive(); !strings.HasPrefix(got, `{"ok":true,"sessions":`) {
			t.Fatalf("answer %d: %.200q", i, got)
		}
		if got := b.Receive(); got != "fail" {
			t.Fatalf("answer %d: %.200q", i, got)
		}
	}
}

// TestPipelinedCalls answers all requests that come one behind the other without waiting, also where others have the
// loop meanwhile.
func TestPipelinedCalls(t *testing.T) {
	r, _ := crowded(t, devMode())
	const asked = 100
	api, _, _ := strings.Cut(strings.TrimPrefix(r.api, "http://"), "/")
	c := linemantest.NewClient(t, dial(t, api), &lineman.Worker{Addr: "http://127.0.0.1:0"})
	body := `{"to":"*"}`
	c.Write(
		strings.Repeat(
			fmt.Sprintf("POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
				"Content-Length: %d\r\n\r\n%s", len(body), body), asked))
	r.counts(r.backend(), "*", 50) // others are served
	for i := range asked {
		if a, text := c.Response(""); a.StatusCode != 200 || !strings.HasPrefix(text, `{"ok":true,"sessions":`) {
			t.Fatalf("answer %d: %s %.200q", i, a.Status, text)
		}
	}
}
