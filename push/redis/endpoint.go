package redis

import (
	"strconv"
	"strings"
)

// endpoint is how a server knows a connection: both are needed, as a server that starts again begins anew with its
// numbers.
type endpoint struct {
	ID      uint64 `json:"id"`
	Address string `json:"address"`
}

// parseEndpoint reads what CLIENT INFO answers. It is zero if that says nothing.
func parseEndpoint(info string) (e endpoint) {
	for _, field := range strings.Fields(strings.TrimPrefix(info, "txt:")) { // which says that it is text
		name, value, _ := strings.Cut(field, "=")
		switch name {
		case "id":
			e.ID, _ = strconv.ParseUint(value, 10, 64)
		case "addr":
			e.Address = value
		}
	}
	if e.ID == 0 || e.Address == "" {
		return endpoint{}
	}
	return e
}
