package pusher

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/lineman-go/lineman/push"
)

// What one request may publish.
const (
	maxChannels = 100 // of an event
	maxBatch    = 10  // events
)

// apiEvent is an event that a back end publishes.
type apiEvent struct {
	Event
	channels []string // each once
	except   push.Target
	info     info
}

// info is what a request wants to know of channels: a set.
type info uint8

const (
	userCount info = 1 << iota
	subscriptionCount
	cached
)

// infoNames are the names of what can be told.
var infoNames = map[string]info{"user_count": userCount, "subscription_count": subscriptionCount, "cache": cached}

// parseInfo reads a list of names.
func parseInfo(text string) (all info, wrong *Failure) {
	if text == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		one := infoNames[strings.TrimSpace(name)]
		if one == 0 {
			return 0, malformed("info is a list of user_count, subscription_count and cache, not %.80q", name)
		}
		all |= one
	}
	return all, nil
}

// eventBody is an event as a request has it.
type eventBody struct {
	Name     string          `json:"name"`
	Data     json.RawMessage `json:"data"`
	Channels []string        `json:"channels"`
	Channel  string          `json:"channel"`
	SocketID string          `json:"socket_id"`
	Info     string          `json:"info"`
}

// parseEvent reads the body of a request for one event.
func (r *Request) parseEvent(body []byte) *Failure {
	var b eventBody
	if err := json.Unmarshal(body, &b); err != nil {
		return malformed("the body is no event: %s", err)
	}
	e, wrong := r.event(&b)
	r.events = []apiEvent{e}
	return wrong
}

// parseBatch reads the body of a request for several events.
func (r *Request) parseBatch(body []byte) *Failure {
	var all struct {
		Batch []eventBody `json:"batch"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return malformed("the body is no batch: %s", err)
	}
	if n := len(all.Batch); n == 0 || n > maxBatch {
		return malformed("a batch has 1 to %d events, not %d", maxBatch, n)
	}
	for i := range all.Batch {
		e, wrong := r.event(&all.Batch[i])
		if wrong != nil {
			return wrong
		}
		r.events = append(r.events, e)
	}
	return nil
}

// event checks an event.
func (r *Request) event(b *eventBody) (e apiEvent, wrong *Failure) {
	if e.channels = b.Channels; b.Channel != "" {
		e.channels = append(e.channels, b.Channel)
	}
	slices.Sort(e.channels)
	e.channels = slices.Compact(e.channels)
	if n := len(e.channels); n == 0 || n > maxChannels {
		return e, malformed("an event has 1 to %d channels, not %d", maxChannels, n)
	}
	for _, name := range e.channels {
		if err := checkTarget(name); err != nil {
			return e, malformed("%s", strings.TrimPrefix(err.Error(), "pusher: "))
		}
	}
	e.Name = b.Name
	switch e.Data = stringData(b.Data); {
	case e.Name == "" || len(e.Name) > MaxEvent:
		return e, malformed("%s", strings.TrimPrefix(errNoEvent.Error(), "pusher: "))
	case isProtocols(e.Name):
		return e, malformed("the name of an event does not begin with pusher: or pusher_")
	case e.Data == nil:
		return e, malformed("an event has data")
	case len(stringOf(e.Data)) > r.App.maxData():
		return e, &Failure{413, "the data of an event is too long"}
	}
	if b.SocketID != "" {
		var err error
		if e.except, err = ParseSocketID(b.SocketID); err != nil {
			return e, malformed("%s", strings.TrimPrefix(err.Error(), "pusher: "))
		}
	}
	e.info, wrong = parseInfo(b.Info)
	if wrong == nil && e.info&cached != 0 {
		wrong = malformed("cache is told of one channel at a time")
	}
	return e, wrong
}

// stringData is data as a JSON string; nil if there is none. Pusher wants a string, and some back ends give JSON.
func stringData(data json.RawMessage) []byte {
	if len(data) == 0 || string(data) == "null" {
		return nil
	}
	if data[0] == '"' {
		return data
	}
	return appendString(nil, string(data))
}
