package lineman

// Recycle asks the master for a successor of this process, as a reload would bring it, but of the program that runs:
// against memory that grows, for example, after so many requests. It returns at once; a second call changes nothing.
// Under Run there is no master, and nothing happens.
func (l *Loop) Recycle() {
	if l.host != nil {
		l.host.recycle()
	}
}
