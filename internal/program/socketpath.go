//go:build unix

package program

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxSocketPath is how long a path this system takes for a Unix socket: a byte is for its end.
const maxSocketPath = len(unix.RawSockaddrUnix{}.Path) - 1

// SocketPath is path or, if that is too long for a Unix socket, a place in the folder for temporary files that
// everybody finds who knows path.
func SocketPath(path string) string {
	if len(path) <= maxSocketPath {
		return path
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(os.TempDir(), fmt.Sprintf("lineman-%x.sock", sum[:8]))
}
