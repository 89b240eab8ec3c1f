package protocol

// Movable is a Codec whose connections can go on in another process: in a reload, a process hands its connections over
// to its successor, which makes the codec again. It is optional: a connection whose codec is none stays where it is
// until it ends.
//
// Both methods are called while no other method of the codec runs.
type Movable interface {
	Codec

	// AppendState appends to dst what the codec knows of its connection, and returns the result. What belongs to it is
	// all that Decode and Append do differently because of what they have seen before. What does not is maxMessage, and
	// the bytes that Decode has been given and has not used up: these come to Decode again in the other process, from
	// the same byte on, as Decode has left them. So a codec that remembers no more than how far it has looked has no
	// state, and looks again. An idle connection should have none, or a few bytes.
	//
	// It is called in the process that hands the connection over, while its loops stand still. It may be called twice,
	// and the codec may be used after it: the connection comes back if the handover fails.
	AppendState(dst []byte) []byte

	// RestoreState gives a codec that NewCodec has just made the state of another one, before anything else is asked
	// of it. It must copy what it keeps.
	//
	// The state was made by this version of the program or by an older one, so it need not be what AppendState would
	// make now. An error, such as for a state that is cut short, or of a form that is not known, has the connection
	// stay in the process that has it; its text is logged. RestoreState must not panic, and must keep no more than
	// maxMessage allows: for half a message above that it gives ErrTooLarge, possibly wrapped. Nor may Decode panic
	// after it, whatever data it is given.
	RestoreState(state []byte) error
}
