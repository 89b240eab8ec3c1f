//go:build linux

package main

import (
	"slices"
)

// ours are the programs that are no rivals.
var ours = map[string]recipe{
	"subject":        served("./subject", ""),
	"subject-2":      subjectOn2(2),
	"subject-2-on-1": subjectOn2(1),
	"lineman":        pushServerWith(),
	"lineman-2":      pushServerOn2(2),
	"lineman-2-on-1": pushServerOn2(1),
	"lineman-before": pushServerBefore,
	"redis":          redisServer,
}

// variants are settings of further push servers, by the name of the program.
var variants = map[string][]string{
	"lineman-idle":     {"LINEMAN_PING=0s"}, // its clients answer no pings, and would be cut if it took long
	"lineman-strict":   {checks, "LINEMAN_TOKEN_REVOCATIONS=", "LINEMAN_LIMITS_PENDING=64KiB", "LINEMAN_PING=0s"},
	"lineman-channels": {keepsChannels, inMemory, saysMuch, "LINEMAN_PING=0s"},
	"lineman-pusher":   {saysMuch, "LINEMAN_PING=0s"},
	"lineman-growth":   {"LINEMAN_LIMITS_PLACES=10000000", saysMuch, "LINEMAN_PING=0s"},
	"lineman-uids":     {keepsUIDs, inMemory},
	"lineman-journal":  {keepsUIDs},
	"lineman-hears":    {speaks, saysMuch, "LINEMAN_EVENTS_MESSAGES=back end"},
	"lineman-hub":      {checks, "LINEMAN_TOKEN_REVOCATIONS=", followsAll, saysMuch, "LINEMAN_PING=0s"},
	"lineman-storm":    {checks, "LINEMAN_TOKEN_REVOCATIONS=", keepsChannels, manyWait, allConnect},
	"lineman-forgets":  {checks, "LINEMAN_TOKEN_REVOCATIONS=", keepsChannels, manyWait, allConnect, inMemory},
}

const (
	checks        = "LINEMAN_TOKEN_SECRETS=" + tokenSecret
	keepsChannels = `LINEMAN_NAMESPACES={"default": {"subscribe": "all", "history": {"size": 1000}}}`
	speaks        = `LINEMAN_NAMESPACES={"default": {"subscribe": "all", "publish": "all", "publish_rate": 0}}`
	followsAll    = `LINEMAN_NAMESPACES={"default": {"subscribe": "all"}}`
	saysMuch      = "LINEMAN_LIMITS_MESSAGES_PER_CONNECTION=0"
	keepsUIDs     = "LINEMAN_HISTORY_UIDS_SIZE=100"
	inMemory      = "LINEMAN_HISTORY_JOURNAL=none"
	manyWait      = "LINEMAN_LIMITS_WAITING=12000" // who come at once wait for their hello to be looked at
	allConnect    = "LINEMAN_LIMITS_CONNECTIONS=12000"
)

// roomForPages has the push server keep few descriptors for others than pages.
var roomForPages = []string{
	"LINEMAN_TEXT_CONNECTIONS=100", "LINEMAN_API_CONNECTIONS=16", "LINEMAN_ADMIN_CONNECTIONS=16",
}

// pushServerWith makes the push server with settings.
func pushServerWith(env ...string) recipe {
	return func(b *builder) (*program, error) {
		bin, err := b.pushServer()
		if err != nil {
			return nil, err
		}
		return pushServerIn(bin, env), nil
	}
}

// subjectOn2 makes the subject on two loops, with so many cores.
func subjectOn2(cores int) recipe {
	return func(b *builder) (*program, error) {
		one, err := b.program("subject")
		if err != nil {
			return nil, err
		}
		two := *one
		two.cores, two.env = cores, []string{"GOMAXPROCS=2"}
		two.command = func(protos string, ports []string) ([]string, error) {
			command, err := one.command(protos, ports)
			return append(command, "-loops", "2"), err
		}
		return &two, nil
	}
}

// pushServerOn2 makes the push server on two loops, with so many cores.
func pushServerOn2(cores int) recipe {
	return func(b *builder) (*program, error) {
		p, err := pushServerWith("LINEMAN_LOOPS=2", "GOMAXPROCS=2")(b)
		if err != nil {
			return nil, err
		}
		p.cores = cores
		return p, nil
	}
}

// pushServerBefore makes the push server of another commit.
func pushServerBefore(b *builder) (*program, error) {
	if b.options.before == "" {
		return nil, because("no other commit is given (-before DIR)")
	}
	bin, err := b.compile(b.options.before, "./cmd/lineman")
	return pushServerIn(bin, nil), err
}

func pushServerIn(bin string, env []string) *program {
	return &program{
		supervised: true, env: append(slices.Clone(roomForPages), env...),
		command: func(_ string, ports []string) ([]string, error) {
			api := "0"
			if len(ports) > 2 {
				api = ports[2]
			}
			return []string{
				bin, "start", "--listen", "127.0.0.1:" + ports[0], "--text", "127.0.0.1:" + ports[1],
				"--api", "127.0.0.1:" + api, "--admin", "127.0.0.1:0",
			}, nil
		},
	}
}

// baseline is a further raw loop.
func baseline(b *builder) (*program, error) {
	if b.options.baseline == "" {
		return nil, because("no folder of it is given (-baseline DIR)")
	}
	bin, err := b.compile(b.options.baseline, ".")
	return &program{command: func(proto string, ports []string) ([]string, error) {
		return []string{bin, proto, ports[0]}, nil
	}}, err
}
