package push

import "sync"

// Forms are what the Hubs of a process make of one publication to send it: frames, for example. Each is made once, by
// the Hub that needs it first; the others wait for it, and share it. The Forms belong to nobody. A Hub uses them on its
// loop while the publication is handed over, and what was made for as long as it likes. The zero value has none.
type Forms struct {
	mu   sync.Mutex // guards the following, and is held while a form is made
	made []form
}

// FormKey tells the forms of a publication apart.
type FormKey struct {
	Kind int    // what the program makes
	Of   Target // what it tells of; empty where it tells of none
}

type form struct {
	key FormKey
	is  any
}

// Get returns the form of a key, which make makes unless it is there. It must not be changed. make must not use the
// Forms, nor the Hub.
func (f *Forms) Get(key FormKey, make func() any) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.made {
		if m.key == key {
			return m.is
		}
	}
	is := make()
	f.made = append(f.made, form{key, is})
	return is
}
