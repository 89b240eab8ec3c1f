package lineman

import (
	"context"
	"fmt"
	"net"
)

// Ask runs f on a loop and returns what f returns: a count, or a copy of what callbacks share. Any goroutine may call
// it but the loop's own, which would wait for itself: there, call f.
//
// The error matches the error of ctx if that has ended: then f may still run, and its answer is lost. It is ErrPanic if
// f panicked, and net.ErrClosed if the loop has ended and f will not run.
func Ask[T any](ctx context.Context, l *Loop, f func() T) (answer T, err error) {
	answers := make(chan T, 1)
	if !l.Do(func() {
		defer close(answers)
		answers <- f()
	}) {
		return answer, errLoopEnded
	}
	select {
	case <-ctx.Done():
		return answer, fmt.Errorf("lineman: ask: %w", context.Cause(ctx))
	case answer, ok := <-answers:
		return answered(answer, ok)
	case <-l.over:
	}
	select {
	case answer, ok := <-answers: // f was among the last that ran
		return answered(answer, ok)
	default:
		return answer, errLoopEnded
	}
}

var errLoopEnded = fmt.Errorf("lineman: ask: the loop has ended: %w", net.ErrClosed)

// answered is what Ask returns; ok means that f has returned.
func answered[T any](answer T, ok bool) (T, error) {
	if !ok {
		return answer, fmt.Errorf("lineman: ask: %w", ErrPanic)
	}
	return answer, nil
}
