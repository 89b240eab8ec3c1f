// Package simulation tries what package push promises to those who follow: Hubs, Brokers, a journal and clients, in one
// goroutine, with time, network and disk of its own, and everything drawn from a seed. Its tests are all that it has.
package simulation
