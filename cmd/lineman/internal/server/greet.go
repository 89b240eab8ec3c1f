package server

import (
	"fmt"
	"net"
)

// greet says what to open, what to paste, and what is insecure.
func (s *Server) greet(pages, backends net.Addr) {
	_, port, _ := net.SplitHostPort(pages.String())
	host, line, _ := net.SplitHostPort(backends.String())
	web, ws := "http", "ws"
	if s.pages.TLS != nil {
		web, ws = "https", "wss"
	}
	fmt.Fprintf(s.config.Out, "lineman: pages on %s://%s, back ends on %s\n", ws, pages, backends)
	if s.config.Dev {
		fmt.Fprintf(s.config.Out, "  open   %s://127.0.0.1:%s/\n", web, port)
	}
	fmt.Fprintf(s.config.Out, `  push   %s push uid uid1 '{"percent":"88%%"}'
  or     echo '{"uid":"uid1","percent":"88%%"}' | nc -N %s %s
`, s.config.Command, host, line)
	if s.config.Dev {
		fmt.Fprintln(s.config.Out, "  DEV MODE: a page is whoever it says it is. Only for a machine that nobody else reaches.")
	}
}
