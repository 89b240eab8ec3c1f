package token

import (
	"encoding/json"
	"strings"
	"time"
)

// Hurried are options with another pace of fetching the key set.
func Hurried(o Options, every, retry, apart time.Duration) Options {
	o.pace = pace{every: every, retry: retry, apart: apart}
	return o
}

// FailingFile is a file whose writing, syncing or truncating may fail.
type FailingFile struct {
	file
	WriteError, SyncError, TruncateError error
}

// Fail puts a file between the revocations and theirs.
func (r *Revocations) Fail() *FailingFile {
	f := &FailingFile{file: r.journal.file}
	r.journal.file = f
	return f
}

func (f *FailingFile) WriteAt(p []byte, at int64) (int, error) {
	if f.WriteError == nil {
		return f.file.WriteAt(p, at)
	}
	n, err := f.file.WriteAt(p[:len(p)/2], at)
	if err != nil {
		return n, err
	}
	return n, f.WriteError
}

func (f *FailingFile) Sync() error {
	if f.SyncError != nil {
		return f.SyncError
	}
	return f.file.Sync()
}

func (f *FailingFile) Truncate(size int64) error {
	if f.TruncateError != nil {
		return f.TruncateError
	}
	return f.file.Truncate(size)
}

// JournalOf writes revocations as a file has them, if the text is such a file.
func JournalOf(text []byte) (compact []byte, err error) {
	at, _, err := parseJournal(text)
	return format(at), err
}

// Ticketed makes a ticket of a text that is put into it as it is.
func Ticketed(secret []byte, claims string) string {
	signed := ticketPrefix + encoding.EncodeToString([]byte(claims))
	return signed + "." + ticketMAC(secret, signed)
}

// WithClaims is a credential with other claims and the same signature.
func WithClaims(credential, claims string) string {
	parts := strings.Split(credential, ".")
	return parts[0] + "." + encoding.EncodeToString([]byte(claims)) + "." + parts[2]
}

// ObjectOf is a JSON object by its names.
func ObjectOf(text []byte) (map[string]json.RawMessage, error) { return parseObject(text) }
