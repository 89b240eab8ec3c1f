//go:build !unix

package sock

func setNonblock(uintptr) error { return nil }
