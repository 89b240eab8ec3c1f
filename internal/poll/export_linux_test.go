package poll

import "golang.org/x/sys/unix"

// BreakBatch has the kernel refuse whatever a batch submits from now on.
func BreakBatch(b Batch) error {
	r := b.(*ring)
	return unix.Dup3(r.poller.wakefd, r.fd, unix.O_CLOEXEC)
}

// BatchDescriptor is the descriptor of a batch.
func BatchDescriptor(b Batch) int { return b.(*ring).fd }

// BatchSize is how many writes a batch submits at once.
const BatchSize = ringSize
