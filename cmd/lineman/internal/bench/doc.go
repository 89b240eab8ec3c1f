// Package bench is a load generator for a push server that runs: it connects pages, publishes to them by the port for
// lines, and tells what arrived, and when.
//
// All of it is one loop, so one processor: whoever wants to know what the server can do at most has to watch that the
// generator is not what is busy. Number, size and time of everything are bounded.
package bench
