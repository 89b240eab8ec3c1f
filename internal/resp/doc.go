// Package resp stands between a client of Redis and its server: it lets nothing through that the client could not bear.
// A client that panics, or reserves what a server claims, takes the whole process with it; a connection that breaks is
// made again.
//
// The protocol is RESP3, and RESP2, which is a part of it:
// https://redis.io/docs/latest/develop/reference/protocol-spec.
package resp
