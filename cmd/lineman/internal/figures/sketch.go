package figures

import (
	"hash/maphash"
	"math"
	"math/rand/v2"
)

// sketch finds the busiest of any number of names in memory for a few: by RAP, the randomized admission policy of Ben
// Basat, Einziger, Friedman and Kassner (2017), with weights that decay. That is Space-Saving where most names that
// come once cost nothing. A slot is never made anew, so names that come and go cost no memory.
//
//	slots: a heap, the lightest first      name not there ──▶ takes the lightest slot, and inherits its weight,
//	                                                          once in as many times as that weighs more
type sketch struct {
	seed  maphash.Seed
	slots []slot
	at    map[uint64]int // by the hash of a name
	last  int            // the slot of the last name: many come again at once
}

// slot counts a name.
type slot struct {
	hash      uint64
	name      []byte
	weight    float64 // at least what was counted
	published float64 // since it has the slot
	delivered float64
}

// slots is how many names a sketch has.
const slots = 128

func newSketch() *sketch {
	return &sketch{seed: maphash.MakeSeed(), at: make(map[uint64]int, slots)}
}

// add counts publications for a name, and their deliveries.
func (s *sketch) add(name string, published, delivered float64) {
	if s.last < len(s.slots) && string(s.slots[s.last].name) == name {
		s.count(s.last, published, delivered)
		return
	}
	hash := maphash.String(s.seed, name)
	i, known := s.at[hash]
	switch {
	case known:
	case len(s.slots) < slots:
		i = len(s.slots)
		s.slots = append(s.slots, slot{hash: hash, name: []byte(name)})
		s.at[hash] = i
		i = s.rise(i)
	case rand.Float64()*(s.slots[0].weight+published+delivered) > published+delivered:
		return
	default:
		i = 0
		one := &s.slots[0]
		delete(s.at, one.hash)
		*one = slot{hash: hash, name: append(one.name[:0], name...), weight: one.weight}
		s.at[hash] = 0
	}
	s.count(i, published, delivered)
}

// count counts for the name that has a slot.
func (s *sketch) count(i int, published, delivered float64) {
	one := &s.slots[i]
	one.weight += published + delivered
	one.published += published
	one.delivered += delivered
	s.last = s.sink(i)
}

// rise brings a slot up to its place in the heap, and tells where that is.
func (s *sketch) rise(i int) int {
	for i > 0 && s.slots[(i-1)/2].weight > s.slots[i].weight {
		s.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	return i
}

// sink brings a slot down to its place, and tells where that is.
func (s *sketch) sink(i int) int {
	for {
		lightest := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s.slots); child++ {
			if s.slots[child].weight < s.slots[lightest].weight {
				lightest = child
			}
		}
		if lightest == i {
			return i
		}
		s.swap(i, lightest)
		i = lightest
	}
}

func (s *sketch) swap(i, j int) {
	s.slots[i], s.slots[j] = s.slots[j], s.slots[i]
	s.at[s.slots[i].hash], s.at[s.slots[j].hash] = i, j
}

// halfLife is after how many seconds what was counted counts half.
const halfLife = 30

// aSecond is what is left of a count after a second.
var aSecond = math.Exp2(-1.0 / halfLife)

// decay has a second pass. The order of the heap stays.
func (s *sketch) decay() {
	for i := range s.slots {
		one := &s.slots[i]
		one.weight *= aSecond
		one.published *= aSecond
		one.delivered *= aSecond
	}
}
