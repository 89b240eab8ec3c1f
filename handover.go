package lineman

// Succeeds reports, in OnStart, whether the process takes the place of a predecessor that hands over: its state and its
// connections follow, before the loop serves, unless the handover fails, and this process ends. What only one process
// may have at a time, such as a file with a lock, is opened once the loop runs then, by Loop.After for example: the
// predecessor closes it in OnHandover.
func (l *Loop) Succeeds() bool { return l.succeeds }
