//go:build unix && !linux

package master

// roles are what this program is when a test starts it as another process.
var roles = map[string]func(args []string) error{
	"mate":         runMate,
	"program path": playProgramPath,
}
