package server

import (
	"fmt"
	"net"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
)

// printBanner says what to open, what to paste, and what is insecure. The others are nil where there is no such port.
func (s *Server) printBanner(pages, lines, api, admin net.Addr) {
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
	if dev && admin != nil {
		fmt.Fprintf(out, "  watch  http://%s/\n", admin)
	}
	if lines != nil {
		fmt.Fprintf(out, "  push   %s uid uid1 '{\"percent\":\"88%%\"}'\n", s.pushCommand(lines))
	}
	if lines != nil && !s.wantsKey() {
		host, port, _ := net.SplitHostPort(lines.String())
		fmt.Fprintf(out, "  or     echo '{\"uid\":\"uid1\",\"percent\":\"88%%\"}' | nc -N %s %s\n", host, port)
	}
	if dev && s.decides.connect == nil {
		fmt.Fprintln(out, "  DEV MODE: a page is whoever it says it is. Only for a machine that nobody else reaches.")
	}
	if s.opensFiles() {
		fmt.Fprintln(out, "    Any web page that you open can connect, as origin null, as files do: see origins.")
	}
}

// pushCommand is how people push from a terminal, up to whom and what. lines is where the port for lines is, or nil.
func (s *Server) pushCommand(lines net.Addr) string {
	command := s.options.Command + " push"
	if lines != nil && lines.String() != config.Default().Text.Listen {
		command += " --server " + lines.String()
	}
	if lines != nil && s.wantsKey() {
		command += " --key-file FILE"
	}
	return command
}

// wantsKey reports whether a back end has to say a key first at the port for lines.
func (s *Server) wantsKey() bool { return s.config.Text.Auth || !config.Loopback(s.config.Text.Listen) }
