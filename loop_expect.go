package lineman

// Expect makes a worker known to the loop to which connections come by SetWorker alone, so that Restore finds it by its
// name: those of a predecessor may have come to it. Call it in OnStart. An error says that the worker is wrong.
func (l *Loop) Expect(w *Worker) error {
	_, err := l.serviceOf(w)
	return err
}
