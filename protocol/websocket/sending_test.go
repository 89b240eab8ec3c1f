package websocket_test

import (
	"strings"
	"testing"

	"github.com/lineman-go/lineman/protocol/websocket"
)

// TestAppendRoom appends messages behind others, where memory has room for them, for a part of them, and for none. One
// that is not UTF-8 leaves what was there.
func TestAppendRoom(t *testing.T) {
	const before = "before"
	c := websocket.NewServerCodec(1<<20, websocket.Accepted{})
	for _, n := range []int{0, 1, 7, 8, 15, 16, 17, 64, 65, 125, 126} {
		for room := range n + 5 {
			dst := append(make([]byte, 0, len(before)+room), before...)
			for text, ok := range map[string]bool{
				strings.Repeat("x", n): true, strings.Repeat("é", n/2): true, strings.Repeat("x", n) + "\xe9": false,
			} {
				got, err := c.Append(dst, []byte(text))
				want := before
				if ok {
					want += server(fin|txt, text)
				}
				if string(got) != want || (err == nil) != ok || err != nil && err != websocket.ErrNotUTF8 {
					t.Fatalf("%q with room for %d: %q, %v", text, room, got, err)
				}
			}
		}
	}
}
