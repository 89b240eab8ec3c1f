package protocol

// A Type tells messages apart beside their bytes: the opcode of a frame and its flags, or the kind of a packet. What
// the numbers mean is the protocol's affair.
type Type struct {
	Kind  uint16
	Flags uint16
}

// Typed is a Codec whose messages have types. It is optional: others cost nothing by it.
type Typed interface {
	Codec

	// Type is that of the message which Decode returned last. It is asked on the loop, before the next Decode.
	Type() Type

	// AppendTyped is Append for a message of a type, with the same rules. An error refuses the message, such as one for
	// a type that the protocol does not have; nothing is sent then. Append is for the type that the protocol takes for
	// usual.
	AppendTyped(dst, msg []byte, t Type) ([]byte, error)
}
