package config

import "testing"

// TestPresence has each namespace say whether it tells who is in its channels.
func TestPresence(t *testing.T) {
	l, err := loadFile(t, "namespaces: {room: {presence: events, max_present: 50}, hall: {presence: list}, plain: {}}")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Namespace{
		"room": {Presence: "events", MaxPresent: 50}, "hall": {Presence: "list", MaxPresent: 1000},
		"plain": {Presence: NoPresence, MaxPresent: 1000},
	} {
		if n := l.Namespaces[name]; n.Presence != want.Presence || n.MaxPresent != want.MaxPresent {
			t.Errorf("%s is %+v", name, n)
		}
	}
	if plain := Default(); !l.KnowsPresence() || plain.KnowsPresence() {
		t.Error("that it is wanted is not known")
	}
	for text, want := range map[string]string{
		"namespaces: {a: {presence: true}}": `1: namespaces.a.presence: "true": want none, list or events`,
		"namespaces: {a: {max_present: 0}}": "namespaces.a.max_present: 0: want more than 0",
	} {
		_, err := loadFile(t, text)
		says(t, text, err, want)
	}
}
