// Package events tells back ends of pages: who comes, what they say, who goes. It knows no socket and does no I/O: a
// Dispatcher gives each event to one listener of each group, keeps what is not acknowledged, and slows those down who
// say more than their listener takes.
package events
