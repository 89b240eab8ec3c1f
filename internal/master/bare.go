//go:build unix

package master

import "strings"

// Bare is an error that goes into another one of the same package, whose name is said in front already. It matches what
// it matched.
func Bare(err error) error { return bare{err} }

type bare struct{ error }

func (e bare) Error() string { return strings.TrimPrefix(e.error.Error(), "lineman: ") }
func (e bare) Unwrap() error { return e.error }
