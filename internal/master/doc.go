// Package master supervises worker processes: it starts, watches, replaces and stops them, owns their sockets, and
// answers the commands of operators. It knows processes, not connections. DESIGN.md has its guarantees and trade-offs.
package master
