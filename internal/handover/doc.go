// Package handover carries the connections of a process to the process that takes its place: the predecessor's side is
// Send, the successor's is Accept and Receiver.Receive. It knows bytes, descriptors and who may serve them; what a
// record means is for those who make it and those who read it.
//
//	predecessor                                        successor
//
//	stands still                                       has its end of the socket pair
//	hello {version, last id, loops, …}        ──────▶
//	                                                   listens, OnStart
//	                                          ◀──────  welcome
//	state {worker, loop, value}*              ──────▶  restores, before any connection
//	record {…} with its descriptor*           ──────▶  makes the connection, which does not run yet, or refuses it
//	end {number of records}                   ──────▶
//	                                          ◀──────  refused {id, reason}*
//	                                          ◀──────  ready
//	tail {id, output} | keep {id}*            ──────▶  what has changed since the record
//	yours                                     ──────▶
//	                                          ◀──────  mine
//	                                          ◀──────  closes the stream, when it serves what crossed
//	serves what stayed
//
//	at any time before yours: abort {reason}  ──────▶  closes what it has
//	serves again                              ◀──────  failed {reason}, at any time before mine
//
// # Lending
//
// To receive a descriptor, and to have a poller watch it, takes longer than all else that a connection costs. So before
// it stands still the predecessor lends what it has, over a socket pair of its own: Lend and Borrow.
//
//	predecessor                                        successor
//
//	serves                                             does not run yet
//	loan {id, loop} with its descriptor*      ──────▶  watches it, for later
//	end {number of loans}                     ──────▶
//	                                          ◀──────  borrowed
//
// Only a predecessor that has read borrowed sends records that are lent: those bring no descriptor. A successor that
// has no such loan fails, and closes what it was lent and never asked for once it serves. If anything about loans fails
// or takes too long, there are none, and records bring descriptors as if nothing had been tried.
//
// # Who serves
//
// A connection is served by one process at a time, and by none only while both stand still, or if who had it has died:
//
//   - The predecessor writes yours when it has read ready, and gives its connections up by that. Any failure before
//     means that it serves again: an error, the end of the stream, a limit of time.
//   - It never ends the stream without a word: mine, or abort. So an end without a word is the death of its process.
//   - The successor serves when it has read yours; or, once it has all records, when the predecessor has died.
//   - A successor that cannot, even after yours, says failed, and closes what it has. The predecessor waits for that
//     word, however long it takes: who watches both kills a successor that hangs. Only after failed does it serve
//     again, as a successor that is gone without a word may have served.
//
// docs/model has a model of these rules, which is searched in full.
//
// # Bytes
//
// What crosses is a stream of frames, the same in both directions:
//
//	kind (1) | more (1) | length (4) | payload | sum (4)
//
// Numbers are big-endian. The sum is the CRC-32C of all that this side has written so far, so that a frame which is
// lost, doubled, moved or damaged is noticed. A message longer than a frame comes in several, with more = 1 in all but
// the last. The payload of a message is a list of fields: a number and a length, both uvarints, and that many bytes. A
// field that is absent is zero.
//
// Descriptors come along with the bytes, in the order of the records, one for each that is not absent or lent. Frames
// are written in batches of at most BatchRecords descriptors and about BatchBytes bytes. A batch, and in the successor
// a few of them, is all that either side keeps of the transfer, whatever the number of connections; but for a record, a
// state or a tail that is larger, and for the numbers of what is lent.
//
// # Versions
//
// A successor reads what it gets in the version that hello tells, its own or an older one, and refuses a later one, as
// well as a field that its version does not have. A predecessor writes its own version, and knows no other. Version 2
// has loans; both sides have to speak it for those.
package handover
