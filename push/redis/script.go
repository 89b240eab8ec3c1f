package redis

import (
	"context"
	"crypto/sha1" // by which Redis names scripts
	"encoding/hex"

	"github.com/redis/rueidis"
)

// script is one that a connection has Redis load, and then calls by its name.
type script struct{ text, sha string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text))
	return script{text, hex.EncodeToString(sum[:])}
}

var (
	placing = newScript(placeScript)
	reading = newScript(readScript)
)

// beginHistory has the server know the scripts, and begins a term of the history.
func (p *pair) beginHistory() error {
	for _, s := range []script{placing, reading} {
		if err := p.out.Do(context.Background(), p.out.B().ScriptLoad().Script(s.text).Build()).Error(); err != nil {
			return err
		}
	}
	s := p.shard
	seen := s.reached.mark()
	keys := []string{s.link.names.state(s.index), s.link.names.terms(s.index)}
	cmd := p.out.B().Eval().Script(beginScript).Numkeys(2).Key(keys...).
		Arg(newName(), seen.epoch, seen.term, decimal(seen.clock), decimal(keptTerms)).Build()
	found, err := p.out.Do(context.Background(), cmd).ToArray()
	if err != nil {
		return err
	}
	m, err := parseMark(found)
	if err != nil {
		return err
	}
	if seen.epoch != "" && m.epoch != seen.epoch {
		s.link.outage.log.Warn("redis: the server has lost history, as if it had come back empty, or had taken over " +
			"from one that was ahead: clients are told of a gap")
	}
	s.reached.raise(m)
	return nil
}

// evalSHA calls a script that was loaded.
func (p *pair) evalSHA(s script, keys, arguments []string) rueidis.Completed {
	return p.out.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(keys))).Key(keys...).Arg(arguments...).Build()
}
