package protocol

// Framer is a Codec that sends messages as they are, with something before and after each. It is optional: with it a
// large message is written from where it lies, and without it, it is copied before.
type Framer interface {
	Codec

	// AppendFrame appends to dst what Append puts before msg and then what it puts after it; before says how many bytes
	// the former is. Its errors are those of Append, with the same rules.
	AppendFrame(dst, msg []byte) (framed []byte, before int, err error)
}
