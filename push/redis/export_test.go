package redis

// Of this package's own tests.
const (
	MaxWaiting = maxWaiting
	BeatScript = beatScript
)
