// Package figures is what a push server does, in numbers for people: how it is now, what it did in the last hour, and
// who takes most of it. All of it is read from the Snapshot that the metrics are read from. The package knows no
// socket and no clock.
package figures

// Figures are how a server was at the end of an interval, and what it did within it.
type Figures struct {
	At      int64   `json:"at"`      // the end, in milliseconds of Unix time
	Seconds float64 `json:"seconds"` // that the interval took

	Conns   Conns   `json:"connections"`
	Rates   Rates   `json:"rates"`
	Lag     Lag     `json:"lag"`
	Queued  Queued  `json:"queued"`
	History History `json:"history"`
	Events  Events  `json:"events"`
	Hooks   Hooks   `json:"hooks"`
	Broker  Broker  `json:"broker"`
}

// Conns are who is connected.
type Conns struct {
	Pages    int `json:"pages"`            // that are known; the next four are parts of it
	Level0   int `json:"level0"`           // WebSockets that get what is published as it is
	Level1   int `json:"level1"`           // WebSockets that miss nothing silently
	Streams  int `json:"streams"`          // server-sent events
	Pusher   int `json:"pusher,omitempty"` // WebSockets of the Pusher protocol
	Waiting  int `json:"waiting"`          // pages that have not said who they are
	BackEnds int `json:"back_ends"`        // connections to the port for lines and to the HTTP API
	UIDs     int `json:"uids"`             // with a page
	Groups   int `json:"groups"`
	Channels int `json:"channels"`
}

// Rates are what happened in an interval, per second.
type Rates struct {
	Published float64            `json:"published"`
	Delivered float64            `json:"delivered"`
	Refused   float64            `json:"refused"`              // for all reasons
	RefusedBy map[string]float64 `json:"refused_by,omitempty"` // by reason; those that did not occur are not there
	BytesIn   float64            `json:"bytes_in"`
	BytesOut  float64            `json:"bytes_out"`
	Accepted  float64            `json:"accepted"`  // connections
	Cut       float64            `json:"cut"`       // pages that did not read
	Recovered float64            `json:"recovered"` // pages of level 1 that came back and got all
	Gaps      float64            `json:"gaps"`      // that were told of a gap
	Unsent    float64            `json:"unsent"`    // publications refused or not confirmed, as nodes were out of reach
	Panics    float64            `json:"panics"`
	Slow      float64            `json:"slow"` // callbacks that held the loop too long
}

// Lag is how long publications took in an interval, in seconds: from the request of the back end until they were
// written. All is 0 if there were none.
type Lag struct {
	Samples uint64  `json:"samples"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
}

// Queued is what waits for pages that do not read as fast as they are sent to.
type Queued struct {
	Bytes int `json:"bytes"`
	Most  int `json:"most"` // of these, for one page
}

// History is what is kept of publications, in memory and in the files of the journal. History in Redis is not in it.
type History struct {
	Bytes    int     `json:"bytes"`    // in memory
	Messages int     `json:"messages"` // likewise
	Journal  int     `json:"journal"`  // bytes of the files
	Failures float64 `json:"failures"` // of the journal, per second
}

// Events are what back ends hear of pages, all groups together.
type Events struct {
	Listeners int     `json:"listeners"`
	Waiting   int     `json:"waiting"` // that were not acknowledged
	Bytes     int     `json:"bytes"`   // of these
	Held      int     `json:"held"`    // pages that are not read, as their listener has too much to do
	Emitted   float64 `json:"emitted"` // per second
	Dropped   float64 `json:"dropped"` // per second
}

// Hooks are all hooks together.
type Hooks struct {
	Open     int     `json:"open"`     // that have failed several times in a row, and are left alone for a while
	Asked    int     `json:"asked"`    // questions without an answer yet
	Requests float64 `json:"requests"` // per second
	Failed   float64 `json:"failed"`   // of these, those that were not answered well, per second
	Dead     float64 `json:"dead"`     // events that went to the dead letters or were lost, per second
}

// Broker is the link to other nodes; without one it is linked, and there are no nodes.
type Broker struct {
	Linked    bool    `json:"linked"`
	Nodes     int     `json:"nodes"`      // that are alive, this one too
	RoundTrip float64 `json:"round_trip"` // seconds
	Waiting   int     `json:"waiting"`    // bytes that have come and wait for the loop
}

// Report is all about now.
type Report struct {
	Now   Figures `json:"now"` // of this process
	Nodes []Node  `json:"nodes"`
	Loops bool    `json:"loops"` // the nodes are the loops of this process

	// Of all nodes that are there.
	All      Figures   `json:"all"`
	Groups   []Group   `json:"groups"`
	Hooks    []Hook    `json:"hooks"`
	Top      Top       `json:"top"`
	Slow     SlowPages `json:"slow_pages"`
	Refusals []Refusal `json:"refusals"` // the newest comes first
}

// Group is a group of listeners, at one node or at all of them. That without a name is what pages say and nobody wants
// yet.
type Group struct {
	Name      string `json:"name"`
	Listeners int    `json:"listeners"`
	Waiting   int    `json:"waiting"`
	Bytes     int    `json:"bytes"`
	Held      int    `json:"held"`
	Dropped   uint64 `json:"dropped"` // since the start
}

// Hook is one of the hooks, at one node or at all of them. Counters are since the start.
type Hook struct {
	Name     string `json:"name"`
	Open     bool   `json:"open"` // at one of them at least
	Asked    int    `json:"asked"`
	Requests uint64 `json:"requests"`
	Failed   uint64 `json:"failed"`
	Dead     uint64 `json:"dead"`
}

// Top are the targets that most is published for or delivered to, those with most deliveries first.
type Top struct {
	Channels []Busy `json:"channels"`
	Groups   []Busy `json:"groups"`
	UIDs     []Busy `json:"uids"`
}

// Busy is a target of publications. Rates are means of about the last three quarters of a minute, those of last seconds
// count most. They are what the target had at least: of one that came lately, or that is not among the busiest hundred,
// some may be missing.
type Busy struct {
	Name      string  `json:"name"` // without u: or g:
	Published float64 `json:"published"`
	Delivered float64 `json:"delivered"`
}

// SlowPage is a page that does not read as fast as it is sent to.
type SlowPage struct {
	Conn   string `json:"conn"` // its name, c:…
	UID    string `json:"uid"`
	Remote string `json:"remote"`
	Bytes  int    `json:"bytes"` // that wait for it
}

// Refusal is something that was refused.
type Refusal struct {
	At     int64  `json:"at"`             // milliseconds of Unix time
	Reason string `json:"reason"`         // a label of the metric
	What   string `json:"what"`           // as in the log
	Remote string `json:"remote"`         // the address it came from; empty if it has none
	UID    string `json:"uid"`            // empty if it is not known
	Detail string `json:"detail"`         // what else is known, as in the log
	Advice string `json:"advice"`         // what to do
	Node   string `json:"node,omitempty"` // the name of that which has refused it; empty: there are no others
}
