package server

import (
	"bytes"
	"fmt"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/http1"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/command"
)

const (
	maxBatch       = 10_000         // lines of a batch
	maxBatchAnswer = push.MaxAnswer // bytes of its answers: behind the one that passes it, no line is done
)

// blanks are the white space of JSON: empty lines are passed over.
const blanks = " \t\r\n"

// batch is some commands of one request, one a line, and their answers. Owned by the loop.
type batch struct {
	server *Server
	conn   *lineman.Conn
	call   *apiCall
	lines  [][]byte
	next   int // line to run
	bytes  int // of the answers

	replies [][]byte
	left    int // lines that are not answered
}

// batch runs the commands of some lines in order, and answers when all are done. body is on loan.
func (s *Server) batch(c *lineman.Conn, body []byte, call *apiCall) {
	b := &batch{server: s, conn: c, call: call}
	for rest := bytes.TrimLeft(bytes.Clone(body), blanks); len(rest) > 0; rest = bytes.TrimLeft(rest, blanks) {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		b.lines = append(b.lines, bytes.TrimRight(line, blanks))
		if len(b.lines) > maxBatch {
			text := fmt.Sprintf("more than %d lines: nothing was done: send them in several requests", maxBatch)
			failed := command.Failed(&command.Error{Code: command.Invalid, Text: text})
			s.respond(c, &failed)
			return
		}
	}
	b.replies, b.left = make([][]byte, len(b.lines)), len(b.lines)
	if b.left == 0 {
		b.respond()
	}
	b.run()
}

// run runs lines, up to one that the next has to wait for, and as long as the loop is not kept from others.
func (b *batch) run() {
	for timeSlice := &b.server.slice; b.next < len(b.lines); {
		if timeSlice.begin(b.conn, len(b.lines[b.next])); timeSlice.isOver() {
			timeSlice.next(b.run)
			return
		}
		if wait := b.runNext(); wait {
			return // its answer goes on
		}
	}
}

// runNext runs a line, and reports whether the next has to wait for its answer.
func (b *batch) runNext() (wait bool) {
	i := b.next
	b.next++
	answer := func(r command.Reply) {
		b.settle(i, r)
		if wait && b.left > 0 {
			b.run()
		}
	}
	switch {
	case b.bytes >= maxBatchAnswer:
		answer(command.Failed(&command.Error{Code: command.TooMany, Text: notDone}))
	case !b.server.mayAsk(b.call.permit):
		answer(tooManyCommands)
	default:
		wait = b.server.table.Do(b.lines[i], b.call.name, b.call.caller(), answer)
	}
	return wait
}

var notDone = fmt.Sprintf("not done: the answers to the lines before it have more than %d MiB: ask again from here on",
	maxBatchAnswer>>20)

// settle gives a line its answer.
func (b *batch) settle(i int, r command.Reply) {
	text := append(r.JSON(), '\n')
	b.server.slice.answered(len(text))
	b.replies[i] = text
	b.bytes += len(text)
	if b.left--; b.left == 0 {
		b.respond()
	}
}

func (b *batch) respond() {
	// it may have closed
	_ = b.conn.Respond(&http1.Response{Type: "application/x-ndjson", Body: bytes.Join(b.replies, nil)})
}
