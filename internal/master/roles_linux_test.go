package master

// roles are what this program is when a test starts it as another process.
var roles = map[string]func(args []string) error{
	"became":       playBecame,
	"become":       playBecome,
	"mate":         runMate,
	"orphaner":     playOrphaner,
	"program path": playProgramPath,
	"reaper":       playReaper,
	"removed":      playRemoved,
	"wait":         playWait,
}
