// Package master supervises worker processes: it starts, watches, replaces and stops them, and owns their sockets. It
// knows processes, not connections. DESIGN.md has its guarantees and trade-offs.
package master
