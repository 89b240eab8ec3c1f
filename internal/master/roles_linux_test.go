package master

// roles are what this program is when a test starts it as another process.
var roles = map[string]func(args []string) error{
	"became":            playBecame,
	"became held":       playBecameHeld,
	"become":            playBecome,
	"full":              playFull,
	"held":              playHeld,
	"holder":            playHolder,
	"holder for a time": playHolderForATime,
	"mate":              runMate,
	"orphaner":          playOrphaner,
	"program path":      playProgramPath,
	"reaper":            playReaper,
	"removed":           playRemoved,
	"wait":              playWait,
}
