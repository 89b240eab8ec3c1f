package server

import (
	"fmt"
	"net"
	"strings"

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
	s.printApp(pages, api)
	if dev && s.decides.connect == nil {
		fmt.Fprintln(out, "  DEV MODE: a page may choose any uid. Only for a machine that nobody else reaches.")
	}
	if n := s.config.Namespaces[config.DevNamespace]; dev && n == config.DevSpace() {
		fmt.Fprintf(out, "    Channels %s:… keep their last %d messages for an hour, tell who is there, and take what "+
			"pages publish.\n", config.DevNamespace, n.History.Size)
	}
	if s.opensFiles() {
		fmt.Fprintln(out, "    Any web page that you open can connect, as origin null, as files do: see origins.")
	}
}

// printApp says what to paste where pages and back ends speak the Pusher protocol, if dev mode has an app for them.
func (s *Server) printApp(pages, api net.Addr) {
	if !s.config.Dev || len(s.config.Pusher.Apps) > 0 || api == nil {
		return
	}
	a, out := config.DevApp(), s.options.Out
	_, port, _ := net.SplitHostPort(pages.String())
	fmt.Fprintf(out, "  pusher new Pusher('%s', {cluster: '', wsHost: '127.0.0.1', wsPort: %s, wssPort: %s, "+
		"forceTLS: %t, enabledTransports: ['ws', 'wss']})\n", a.Key, port, port, s.pages.TLS != nil)
	_, port, _ = net.SplitHostPort(api.String())
	lines := []string{
		"BROADCAST_CONNECTION=pusher", "PUSHER_APP_ID=" + a.ID, "PUSHER_APP_KEY=" + a.Key,
		"PUSHER_APP_SECRET=" + a.Secret, "PUSHER_HOST=127.0.0.1", "PUSHER_PORT=" + port, "PUSHER_SCHEME=http",
	}
	fmt.Fprintln(out, "  .env   "+strings.Join(lines, "\n         "))
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
