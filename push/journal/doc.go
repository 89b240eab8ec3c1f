// Package journal keeps the history of a push server in files, so that it outlives the process: it is a push.Journal.
//
// A Journal is a folder of segments, which are appended to, and a lock, which says whose it is:
//
//	lock
//	0000000000000007.log   header │ record │ record │ ...            only the last one is written to
//	0000000000000008.log   header │ record │ record │ ... │ end      the end is there when it was closed well
//
// Each record has its length and its checksum. What is appended was written to the last segment, with write(2), when
// that is answered: so a process that is killed loses nothing. Whether a power cut does, Sync says. When a new process
// opens the segments, it reads all records, up to the first that is not whole, and begins a segment of its own.
package journal
