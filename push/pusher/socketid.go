package pusher

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// A socket_id is two decimal numbers, which the libraries of back ends check: the node, and the connection there. It
// says the same as the Target of the connection, and stays when the connection goes to another process.

// connPrefix begins the Target of a connection: "c:", the node as 16 hexadecimal digits, ".", a number.
const connPrefix = "c:"

// SocketID is the socket_id of a connection, by its Target; empty if it is none of a connection.
func SocketID(t push.Target) string {
	name, ok := strings.CutPrefix(string(t), connPrefix)
	node, id, found := strings.Cut(name, ".")
	number, err := strconv.ParseUint(node, 16, 64)
	if !ok || !found || err != nil || !isDecimal(id) {
		return ""
	}
	return strconv.FormatUint(number, 10) + "." + id
}

// ParseSocketID is the Target of a connection, by its socket_id. It takes no other spelling than that of SocketID.
func ParseSocketID(text string) (push.Target, error) {
	node, id, _ := strings.Cut(text, ".")
	number, err := strconv.ParseUint(node, 10, 64)
	if err != nil || !isDecimal(node) || !isDecimal(id) {
		return "", fmt.Errorf("pusher: no socket_id is %.80q", text)
	}
	return push.Target(fmt.Sprintf("%s%016x.%s", connPrefix, number, id)), nil
}

// isDecimal reports whether a text is how a number is written.
func isDecimal(text string) bool {
	n, err := strconv.ParseUint(text, 10, 64)
	return err == nil && strconv.FormatUint(n, 10) == text
}
