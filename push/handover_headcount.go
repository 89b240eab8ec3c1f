package push

import "github.com/lineman-go/lineman/internal/fields"

// The fields of a headcount.
const (
	fieldHeadcountOf    = 1
	fieldHeadcountTold  = 2
	fieldHeadcountFirst = 3
)

// appendHeadcounts appends what pages know of how many they are: 0 where not all know it. What nodes have said is said
// anew.
func (h *Hub[C]) appendHeadcounts(dst []byte) []byte {
	for name, c := range h.headcounts.by {
		told := c.told
		if c.again {
			told = 0
		}
		dst = fields.Nested(dst, fieldHeadcount, func(dst []byte) []byte {
			dst = fields.Uint(fields.Bytes(dst, fieldHeadcountOf, name), fieldHeadcountTold, uint64(told))
			return fields.Bool(dst, fieldHeadcountFirst, c.first)
		})
	}
	return dst
}

// headcountArriving is what a Hub has told of a channel.
type headcountArriving struct {
	told  int
	first bool
}

func (a *arriving) takeHeadcount(state []byte) error {
	var name string
	var told uint32
	var first uint8
	err := fields.Each(state, fieldHeadcountFirst, func(number uint64, value []byte) (err error) {
		switch number {
		case fieldHeadcountOf:
			name = string(value)
		case fieldHeadcountTold:
			err = fields.Put(&told, value)
		case fieldHeadcountFirst:
			err = fields.Put(&first, value)
		}
		return err
	})
	one := headcountArriving{int(told), first != 0}
	if other, both := a.told[name]; both {
		one.first = one.first || other.first
		if one.told != other.told { // all are told again
			one.told = 0
		}
	}
	a.told[name] = one
	return err
}

// restoreHeadcounts begins those of the channels whose connections have crossed. The node says what it has before its
// link connects: so others see no other number in between. Pages are told when other nodes had time to do so, too, and
// only if it is not what they know.
func (h *Hub[C]) restoreHeadcounts(had *arriving) {
	if had == nil || h.counting == nil {
		return
	}
	var all []*headcount[C]
	for _, name := range sorted(h.sets[ToChannel]) {
		if !h.namespace(name).TellSubscribers {
			continue
		}
		c := h.addHeadcount(name)
		c.told, c.first = had.told[name].told, had.told[name].first
		h.sayHeadcount(c)
		all = append(all, c)
	}
	h.restHeadcounts(sayCount, all)
	h.restHeadcounts(tellCount, all)
	for _, c := range all {
		h.readHeadcount(c, func() {})
	}
}
