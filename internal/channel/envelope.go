//go:build unix

package channel

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/lineman-go/lineman/internal/jsontext"
)

// message is what crosses: one line, a JSON object of these fields. Those that are empty are left out.
type message struct {
	ID     uint64
	Op     Op // empty: it is the answer to the request of this ID
	Body   json.RawMessage
	Error  string
	Number int // "errno": that of the error
	Files  int // descriptors that came along

	files []int
}

var errMessage = errors.New("channel: this is no message")

// parse reads a line, of which nothing is kept. encoding/json would leave some hundred bytes behind each time, and a
// process that has nothing else to do gets a line each second.
func (m *message) parse(line []byte) (err error) {
	*m = message{}
	if !jsontext.Valid(line) || jsontext.Begins(line) != '{' {
		return errMessage
	}
	for name, value := range jsontext.Fields(line) {
		switch string(name) {
		case "id":
			m.ID, err = strconv.ParseUint(string(value), 10, 64)
		case "op":
			op, plain := jsontext.Plain(value)
			if !plain {
				return errMessage
			}
			m.Op = Op(op)
		case "body":
			m.Body = bytes.Clone(value)
		case "error":
			err = json.Unmarshal(value, &m.Error)
		case "errno":
			m.Number, err = strconv.Atoi(string(value))
		case "files":
			m.Files, err = strconv.Atoi(string(value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parse reads a body, which was part of a line. It comes as often as a heartbeat is wanted.
func (p *Probe) parse(body []byte) (err error) {
	if len(body) == 0 || jsontext.Begins(body) != '{' {
		return errMessage
	}
	for name, value := range jsontext.Fields(body) {
		if string(name) == "wait" {
			var wait int64
			wait, err = strconv.ParseInt(string(value), 10, 64)
			p.Wait = time.Duration(wait)
		}
	}
	return err
}

// A writer makes lines, each in the memory of the one before.
type writer struct {
	line bytes.Buffer
	json *json.Encoder // into line
}

const kept = 4 << 10 // bytes of memory for the next line; most are far shorter

// make makes the line of a message, with body as its Body unless it is an error. The line is valid until the next one.
func (w *writer) make(m *message, body any) ([]byte, error) {
	if w.json == nil || w.line.Cap() > kept {
		w.line = bytes.Buffer{}
		w.json = json.NewEncoder(&w.line)
	}
	w.line.Reset()
	b := append(w.line.AvailableBuffer(), `{"id":`...)
	b = strconv.AppendUint(b, m.ID, 10)
	if m.Op != "" {
		b = jsontext.AppendString(append(b, `,"op":`...), string(m.Op))
	}
	b = appendNumber(b, `,"errno":`, m.Number)
	b = appendNumber(b, `,"files":`, m.Files)
	name, value := `,"body":`, body
	if m.Error != "" {
		name, value = `,"error":`, m.Error
	}
	w.line.Write(append(b, name...))
	if err := w.json.Encode(value); err != nil {
		return nil, err
	}
	w.line.Truncate(w.line.Len() - 1) // the end of a line
	w.line.WriteString("}\n")
	return w.line.Bytes(), nil
}

func appendNumber(b []byte, name string, n int) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, name...), int64(n), 10)
}
