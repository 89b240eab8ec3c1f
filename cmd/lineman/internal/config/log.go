package config

import (
	"io"
	"log/slog"
	"net"
)

// Handler is what logs to w as l says, which Check has passed. It is a fresh one: processes and tests may have several.
func (l Log) Handler(w io.Writer) slog.Handler {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		options.ReplaceAttr = addressAsText
		return slog.NewJSONHandler(w, options)
	}
	return slog.NewTextHandler(w, options)
}

// addressAsText has a JSON log tell addresses as one in text does, 192.0.2.1:80, and not the fields of Go's types.
func addressAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindAny {
		if addr, ok := a.Value.Any().(net.Addr); ok {
			a.Value = slog.StringValue(addr.String())
		}
	}
	return a
}
