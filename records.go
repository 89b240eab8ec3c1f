package lineman

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// decryption is the memory in which a loop decrypts, one connection at a time.
type decryption struct {
	plain []byte       // what was decrypted
	raw   bytes.Buffer // the memory for records as they come, while it is not lent
}

// decryption is there from the first record that comes.
func (l *Loop) decryption() *decryption {
	if l.decrypts == nil {
		l.decrypts = &decryption{plain: make([]byte, maxRecord)}
	}
	return l.decrypts
}

// lend gives a connection that holds no bytes of a record the loop's memory to read into, and reports whether it did.
func (d *decryption) lend(to *bytes.Buffer) bool {
	if to == nil || to.Len() > 0 {
		return false
	}
	*to, d.raw = d.raw, bytes.Buffer{}
	return true
}

// takeBack ends the loan. The connection keeps what has come of a record, and no memory if that is nothing.
func (d *decryption) takeBack(from *bytes.Buffer, lent bool) {
	if from == nil {
		return
	}
	rest := from.Bytes()
	if lent {
		from.Reset()
		d.raw = *from
		*from = *bytes.NewBuffer(bytes.Clone(rest))
	}
	if len(rest) == 0 {
		*from = bytes.Buffer{}
	}
}

// bufferOf is a buffer inside conn, for as long as nobody else uses conn. crypto/tls would keep in it, for each
// connection, as much as the largest record ever took, 18 KiB, which is more than all the rest of an idle one. It is
// nil where crypto/tls has no buffer of this name; then it costs that memory, and nothing else changes.
func bufferOf(conn *tls.Conn, name string) *bytes.Buffer {
	field := reflect.ValueOf(conn).Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[bytes.Buffer]() {
		return nil
	}
	return (*bytes.Buffer)(unsafe.Pointer(field.UnsafeAddr()))
}
