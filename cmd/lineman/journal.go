package main

import (
	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/push/journal"
)

// openJournal opens that in which history is kept.
func openJournal(c *config.History) (server.Journal, error) {
	sync, err := c.SyncTime()
	if err != nil {
		return nil, err
	}
	switch sync {
	case config.SyncAlways:
		sync = journal.Always
	case config.SyncNever:
		sync = journal.Never
	}
	j, err := journal.Open(journal.Options{Folder: c.Journal, Sync: sync})
	if err != nil {
		return nil, err
	}
	return j, nil
}
