package table_test

import (
	"testing"

	"github.com/lineman-go/lineman/internal/table"
)

// TestTable has entries stay where they are, whatever room is made after them.
func TestTable(t *testing.T) {
	var all table.Table[int]
	if all.Len() != 0 || all.Get(0) != 0 || all.Get(-1) != 0 {
		t.Error("an empty table has entries")
	}
	var first *int
	for i := range 3 * table.Page {
		all.Cover(i)
		*all.At(i) = i + 1
		if i == 0 {
			first = all.At(0)
		}
	}
	all.Cover(0)
	if all.Len() != 3*table.Page || first != all.At(0) {
		t.Errorf("room for %d, want %d; or the first entry has moved", all.Len(), 3*table.Page)
	}
	for i := range all.Len() {
		if all.Get(i) != i+1 {
			t.Errorf("entry %d is %d", i, all.Get(i))
		}
	}
	if got := all.Get(all.Len()); got != 0 {
		t.Errorf("beyond the end there is %d", got)
	}
}

// TestTableGrows has it grow by what is needed, and allocate a page for that.
func TestTableGrows(t *testing.T) {
	var all table.Table[int]
	all.Cover(100*table.Page - 1)
	pages := 0.0
	for n := 100; n < 110; n++ {
		pages += testing.AllocsPerRun(1, func() { all.Cover(all.Len()) })
	}
	if all.Len() != 120*table.Page || pages > 12 {
		t.Errorf("room for %d, by %v allocations", all.Len(), pages)
	}
}
