// Package table has a list that grows without a copy.
package table

// A Table is entries by number, from 0 on, in pages that never move. To grow, it copies nothing, and leaves no garbage
// of its own size behind; at most one page of it is idle. The zero value is empty. It is not for concurrent use.
type Table[T any] struct{ pages []*[Page]T }

// Page is how many entries a page has. One of pointers is 512 bytes: the runtime puts eight bytes before each object
// that is larger and has pointers, and so takes an eighth more for one of a power of two.
const Page = 64

// Len is how many entries there is room for.
func (t *Table[T]) Len() int { return len(t.pages) * Page }

// At is an entry, from 0 on and below Len. It stays where it is.
func (t *Table[T]) At(i int) *T { return &t.pages[uint(i)/Page][uint(i)%Page] }

// Get is the value of an entry; the zero value beyond Len.
func (t *Table[T]) Get(i int) (v T) {
	if page := uint(i) / Page; page < uint(len(t.pages)) {
		return t.pages[page][uint(i)%Page]
	}
	return v
}

// Cover makes room for entry i.
func (t *Table[T]) Cover(i int) {
	for i >= t.Len() {
		t.pages = append(t.pages, new([Page]T))
	}
}
