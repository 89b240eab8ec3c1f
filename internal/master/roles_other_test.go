//go:build unix && !linux

package master

// roles are what this program is when a test starts it as another process.
var roles = map[string]func(args []string) error{
	"claim":             playClaim,
	"mate":              runMate,
	"claim and release": playClaimAndRelease,
	"program path":      playProgramPath,
}
