package server

import (
	"iter"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
)

// Answer is what a server without pages answers a line.
func Answer(line []byte) (answer string) {
	hub, err := push.New(push.Options[*lineman.Conn]{Fanout: func(iter.Seq[*lineman.Conn], []byte) int { return 0 }})
	if err != nil {
		return err.Error()
	}
	s := &Server{hub: hub}
	fields, err := parseLine(line)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case fields["cmd"] != nil:
		s.do(line, func(r reply) { answer = r.String() })
	default:
		s.pass(line, fields, func(text string) { answer = text })
	}
	return answer
}
