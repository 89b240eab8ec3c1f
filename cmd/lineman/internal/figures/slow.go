package figures

import (
	"cmp"
	"slices"
)

// SlowPages are those for which most waits, which come first: no more than shown.
type SlowPages []SlowPage

// Takes reports whether a page for which so much waits would be one of them.
func (s SlowPages) Takes(bytes int) bool {
	return bytes > 0 && (len(s) < shown || bytes > s[len(s)-1].Bytes)
}

// Add adds some.
func (s *SlowPages) Add(more ...SlowPage) {
	all := append(*s, more...)
	slices.SortStableFunc(all, func(a, b SlowPage) int { return cmp.Compare(b.Bytes, a.Bytes) })
	*s = all[:min(shown, len(all))]
}

// Clone is a copy, which is not nil.
func (s SlowPages) Clone() SlowPages { return append(SlowPages{}, s...) }

// Has reports whether a connection is one of them.
func (s SlowPages) Has(conn string) bool {
	return slices.ContainsFunc(s, func(p SlowPage) bool { return p.Conn == conn })
}
