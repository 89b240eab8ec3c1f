package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/lineman-go/lineman/linemantest"
)

// allEvents are those that a listener may ask for.
const allEvents = `["connect","message","close","join","leave","occupied","vacated","rpc"]`

// tap is a back end that notes all events that come, as they are.
type tap struct {
	t *testing.T

	mu    sync.Mutex // guards lines
	lines [][]byte
}

// startTap listens at a port for lines, until the end of the test. first is a line that it says before that, if any.
func startTap(t *testing.T, addr, first string) *tap {
	t.Helper()
	c, p := dial(t, addr), &tap{t: t}
	lines := bufio.NewReader(c)
	for _, line := range []string{first, `{"cmd":"listen","group":"tap","events":` + allEvents + `}`} {
		if line == "" {
			continue
		}
		fmt.Fprintln(c, line)
		if answer, err := lines.ReadString('\n'); err != nil || answer != `{"ok":true}`+"\n" {
			t.Fatalf("%s is answered %q, %v", line, answer, err)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			p.add(bytes.TrimSuffix(line, []byte("\n")))
			var e struct{ N uint64 }
			if json.Unmarshal(line, &e) == nil {
				fmt.Fprintf(c, `{"cmd":"ack","n":%d}`+"\n", e.N)
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-ended })
	return p
}

func (p *tap) add(event []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, event)
}

// all are the events that have come, of a type, or of any.
func (p *tap) all(kind string) (all [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.lines {
		if kind == "" || bytes.HasPrefix(line, []byte(`{"type":"`+kind+`"`)) {
			all = append(all, line)
		}
	}
	return all
}

// wait waits until so many events of a type have come.
func (p *tap) wait(kind string, n int) [][]byte {
	p.t.Helper()
	linemantest.Until(p.t, fmt.Sprintf("no %d events of type %s come", n, kind),
		func() bool { return len(p.all(kind)) >= n })
	return p.all(kind)
}

// fieldsOf are the fields of an event, each of which may be there once, and no other.
func fieldsOf(event []byte) (map[string]json.RawMessage, error) {
	known := strings.Fields("type conn uid channel seq time remote level data text b64 code why lasted call method " +
		"session again n uids channels first last events")
	d := json.NewDecoder(bytes.NewReader(event))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("it begins with %v: %w", open, err)
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := fields[name.(string)]; twice || !slices.Contains(known, name.(string)) {
			return nil, fmt.Errorf("it has %q, twice: %v", name, twice)
		}
		fields[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows")
	}
	return fields, nil
}

// genuine complains of an event that is not about one of some uids, whatever pages have said. conns are the names of
// their connections, by uid.
func genuine(t *testing.T, event []byte, conns map[string][]string) {
	t.Helper()
	fields, err := fieldsOf(event)
	if err != nil {
		t.Errorf("%s: %v", event, err)
		return
	}
	var e struct{ Type, UID, Conn string }
	if err := json.Unmarshal(event, &e); err != nil {
		t.Errorf("%s: %v", event, err)
	}
	switch e.Type {
	case "connect", "message", "close", "rpc":
		if !slices.Contains(conns[e.UID], e.Conn) {
			t.Errorf("%s: %q is none of %q", event, e.Conn, conns[e.UID])
		}
	case "join", "leave":
		if conns[e.UID] == nil || len(fields["conn"]) > 0 {
			t.Errorf("%s: there is no %q", event, e.UID)
		}
	case "sync", "occupied", "vacated":
	default:
		t.Errorf("%s: nobody tells that", event)
	}
}
