package config

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// TestHandler logs a line of each level: those that are asked for come, as text or JSON.
func TestHandler(t *testing.T) {
	for level, lines := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1} {
		for _, format := range []string{"text", "json"} {
			var out bytes.Buffer
			log := slog.New(Log{Format: format, Level: level}.Handler(&out))
			log.Debug("a b")
			log.Info("a b")
			log.Warn("a b")
			log.Error("a b")
			said := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(said) != lines {
				t.Errorf("%s: %q", level, said)
			}
			for _, line := range said {
				if json.Valid([]byte(line)) != (format == "json") || !strings.Contains(line, `"a b"`) {
					t.Errorf("%s: %s", format, line)
				}
			}
		}
	}
}

// TestHandlerAddress has both formats write an address as people do.
func TestHandlerAddress(t *testing.T) {
	for format, want := range map[string]string{
		"text": " remote=192.0.2.1:80\n", "json": `,"remote":"192.0.2.1:80"}` + "\n",
	} {
		var out bytes.Buffer
		slog.New(Log{Format: format, Level: "info"}.Handler(&out)).Info("a b", "remote",
			&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80})
		if said := out.String(); !strings.HasSuffix(said, want) {
			t.Errorf("%s: %q, want %q at its end", format, said, want)
		}
	}
}
