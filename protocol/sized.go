package protocol

// Sized is a Codec that knows how large a message is before all of it has come, because a header tells. It is optional:
// with it the loop reads a large message to where it stays, and without it, it copies it a few times.
type Sized interface {
	Codec

	// Size is asked after Decode returned 0, nil, nil, with the same data: how many bytes of it, and of what follows,
	// the message takes that it begins with, all that belongs to it included; 0 if that is not clear yet. Memory
	// follows what comes, whatever Size says, so a peer that announces much and sends little costs little.
	Size(data []byte) int
}
