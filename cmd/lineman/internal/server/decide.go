package server

import (
	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/level1"
)

// What hooks decide for pages: who they are, and what they may.

// askPublish has a hook decide what a page publishes on a channel whose namespace has publish, and reports whether one
// does. allowed says whether namespace and token allow it, which holds where the hook is away and that is no reason to
// refuse. done is called on the loop, later and once, also when the page has gone: data replaces what was said unless
// it is nil; skip says that it is done, and nothing is to be published; wrong has the code and the text of a refusal.
// data is on loan until askPublish returns.
func (s *Server) askPublish(
	_ *lineman.Conn, _ *push.Member[*lineman.Conn], _ string, _ []byte, _ bool,
	_ func(data []byte, skip bool, wrong *level1.Failure),
) (asked bool) {
	return false
}

// askRPC has a hook answer what a page asks, and reports whether one does. done is as that of askPublish.
func (s *Server) askRPC(
	_ *lineman.Conn, _ *push.Member[*lineman.Conn], _ string, _ []byte, _ func(data []byte, wrong *level1.Failure),
) (asked bool) {
	return false
}
