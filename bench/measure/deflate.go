//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	compressedText = 0x81 | 0x40 // first byte of a frame with RSV1 (RFC 7692, 6)

	// flushed is what a sender leaves out at the end of a message (RFC 7692, 7.2.1).
	flushed = "\x00\x00\xff\xff"
)

// echoCompressed keeps so many compressed messages under way on each WebSocket, each of which comes back compressed.
func echoCompressed(text string, pipelined int) drive {
	batches := sync.OnceValue(func() [][]byte { return maskedInTurns(compressedText, deflated(text), pipelined) })
	return drive{
		check: func(l *load) error {
			_, err := l.compressedEcho(text)
			return err
		},
		run: func(l *load, d time.Duration) (int, error) {
			size, err := l.compressedEcho(text) // how well servers compress differs
			if err != nil {
				return 0, err
			}
			next, all := 0, batches()
			return l.echoEach(func(int) []byte {
				next++
				return all[next%len(all)]
			}, pipelined, always(pipelined*size), d)
		},
	}
}

// compressedEcho sends a message once and returns how long its echo is, which must be compressed, and the same text.
func (l *load) compressedEcho(text string) (size int, err error) {
	if err := l.send(0, maskedFrame(compressedText, deflated(text), [4]byte{1, 2, 3, 4})); err != nil {
		return 0, err
	}
	var got, payload []byte
	if err := l.each(5*time.Second, func(_, n int) error {
		got = append(got, l.buf[:n]...)
		payload = framePayload(got)
		return nil
	}, func() bool { return payload != nil }); err != nil {
		return 0, err
	}
	if got[0] != compressedText {
		return 0, fmt.Errorf("an echo begins with %#x: want a compressed message", got[0])
	}
	plain, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload),
		strings.NewReader(flushed+"\x01\x00\x00\xff\xff")))) // the last block, which the reader waits for
	if err == nil && string(plain) != text {
		err = fmt.Errorf("an echo has %.40q: want %.40q", plain, text)
	}
	return len(got), err
}

// framePayload is the payload of the one frame of a server that b is, nil if it is not whole.
func framePayload(b []byte) []byte {
	for _, head := range []int{2, 4, 10} {
		if len(b) >= head && bytes.HasPrefix(b, frameHead(b[0], 0, len(b)-head)) {
			return b[head:]
		}
	}
	return nil
}

// deflated is a compressed message that refers to no other.
func deflated(text string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed) // that level exists
	_, _ = io.WriteString(w, text)               // memory takes it
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte(flushed))
}
