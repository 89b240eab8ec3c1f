package redis

// MaxWaiting is for this package's own tests.
const MaxWaiting = maxWaiting
