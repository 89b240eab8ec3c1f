// Package program is what stands around a master: the files of a program that runs, its log, its signals, the commands
// about it, and its start in the foreground or as a daemon. It knows no connection, and it supervises no process: that
// is for internal/master. DESIGN.md has its guarantees and trade-offs.
package program
