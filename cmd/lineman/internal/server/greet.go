package server

import (
	"fmt"
	"net"
)

// greet says what to open, what to paste, and what is insecure. The others are nil where there is no such port.
func (s *Server) greet(pages, lines, api, admin net.Addr) {
	out, dev := s.options.Out, s.config.Dev
	web, ws := "http", "ws"
	if s.pages.TLS != nil {
		web, ws = "https", "wss"
	}
	fmt.Fprintf(out, "lineman: pages on %s://%s", ws, pages)
	if lines != nil {
		fmt.Fprintf(out, ", back ends on %s", lines)
	}
	if api != nil {
		fmt.Fprintf(out, ", HTTP API on http://%s/v1/", api)
	}
	if admin != nil {
		fmt.Fprintf(out, ", metrics on http://%s/metrics", admin)
	}
	fmt.Fprintln(out)
	if dev {
		_, port, _ := net.SplitHostPort(pages.String())
		fmt.Fprintf(out, "  open   %s://127.0.0.1:%s/\n", web, port)
	}
	if lines != nil {
		host, port, _ := net.SplitHostPort(lines.String())
		fmt.Fprintf(out, "  push   %s push uid uid1 '{\"percent\":\"88%%\"}'\n", s.options.Command)
		fmt.Fprintf(out, "  or     echo '{\"uid\":\"uid1\",\"percent\":\"88%%\"}' | nc -N %s %s\n", host, port)
	}
	if dev {
		fmt.Fprintln(out, "  DEV MODE: a page is whoever it says it is. Only for a machine that nobody else reaches.")
	}
}
