//go:build linux

package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
)

// accept is the Sec-WebSocket-Accept for the head of a handshake (RFC 6455, 4.2.2).
func accept(head []byte) string {
	const field = "sec-websocket-key: "
	i := bytes.Index(bytes.ToLower(head), []byte(field))
	if i < 0 {
		return ""
	}
	key, _, _ := bytes.Cut(head[i+len(field):], []byte("\r\n"))
	sum := sha1.Sum(append(bytes.Clone(key), "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"...))
	return base64.StdEncoding.EncodeToString(sum[:])
}
