package frame

import "errors"

var errState = errors.New("frame: not a state of this protocol: it has none")

// AppendState is protocol.Movable's: there is nothing to append.
func (c Codec) AppendState(dst []byte) []byte { return dst }

// RestoreState is protocol.Movable's.
func (c Codec) RestoreState(state []byte) error {
	if len(state) > 0 {
		return errState
	}
	return nil
}
