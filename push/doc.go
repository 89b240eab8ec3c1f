// Package push decides who gets what: it knows the connections of each uid, those in each group and those of each
// channel, on this node, and carries publications between nodes by a Broker. It knows no socket.
//
// A Hub belongs to one loop: its methods, and those of its Members, are called there, and it needs no lock. What other
// goroutines want from it goes through the loop's Do. DESIGN.md has its guarantees and trade-offs.
package push
