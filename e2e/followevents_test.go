package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// readEvents is read for a follower that gets server-sent events. All that it hands back is the id of the last one.
func (f *follower) readEvents(conn net.Conn) (retry time.Duration, err error) {
	var names []string
	for ch := range f.places {
		names = append(names, ch)
	}
	query := url.Values{"token": {f.token}, "sub": {strings.Join(names, ",")}}
	request, err := http.NewRequest("GET", "http://127.0.0.1/sse?"+query.Encode(), nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Accept", "text/event-stream")
	if f.lastID != "" {
		request.Header.Set("Last-Event-ID", f.lastID)
	}
	if err := request.Write(conn); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || kind != "text/event-stream" {
		f.ledger.complain("%s is answered %s, %q, with the id %q", f.uid, answer.Status, kind, f.lastID)
		return 0, fmt.Errorf("answered %s", answer.Status)
	}
	f.begins()
	var data string
	id := f.lastID
	lines := bufio.NewReader(answer.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return retry, err
		}
		switch name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); {
		case name == "id":
			id = value
		case name == "data":
			data = value
		case name == "retry": // frames say it too
		case line == "\n" && data != "":
			for _, m := range f.frames([]byte(data)) {
				if m.Op == "bye" {
					retry = time.Duration(m.Retry) * time.Millisecond
				}
				f.take(m)
			}
			f.lastID, data = id, "" // the event is whole: half of one counts for nothing
			f.checkID()
		}
	}
}

// checkID wants the last id to say where the follower stands in each channel, once it has begun there.
func (f *follower) checkID() {
	told := map[string]string{}
	for pair := range strings.SplitSeq(f.lastID, ";") {
		name, position, _ := strings.Cut(pair, "=")
		if name, err := url.PathUnescape(name); err == nil {
			told[name] = position
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch, p := range f.places {
		if p.pos != told[ch] {
			f.ledger.complain("%s stands at %q of %s, and the id is %q", f.uid, p.pos, ch, f.lastID)
		}
	}
}
