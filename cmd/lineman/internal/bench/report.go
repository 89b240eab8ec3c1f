package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// Report is what a run has measured.
type Report struct {
	Connections int     `json:"connections"`      // pages that are there at the end
	Connecting  float64 `json:"connecting_s"`     // until the server knew all of them
	Connects    float64 `json:"connects_per_sec"` //

	Mode       string  `json:"mode"`
	Rate       float64 `json:"rate"` // that was wanted; 0 means as fast as it goes
	Size       int     `json:"size"`
	Seconds    float64 `json:"seconds"` // from the first publication to what came last
	Published  uint64  `json:"published"`
	Publishes  float64 `json:"publishes_per_sec"`
	Delivered  uint64  `json:"delivered"`
	Deliveries float64 `json:"deliveries_per_sec"`
	Latency    Latency `json:"latency"`

	Lost        uint64         `json:"lost"`        // never came, or after a later one
	Doubled     uint64         `json:"doubled"`     // came again, late, or without having been published
	Closed      map[string]int `json:"closed"`      // pages that the server closed while it was published, by why
	Interrupted bool           `json:"interrupted"` // before its time
}

// Latency is how long publications took to their pages, in milliseconds: from when each was to be published, so with a
// rate also how late it was.
type Latency struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// Err is what is wrong with what was measured; nil if each page has got each publication once, in order.
func (r *Report) Err() error {
	closed := 0
	for _, n := range r.Closed {
		closed += n
	}
	if r.Lost+r.Doubled == 0 && closed == 0 {
		return nil
	}
	return fmt.Errorf("bench: %d messages were lost, %d came twice or late, and %d pages were closed", r.Lost,
		r.Doubled, closed)
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "connections\t%d\tin %.2f s, %.0f a second\n", r.Connections, r.Connecting, r.Connects)
	fmt.Fprintf(t, "published\t%d\tin %.2f s, %.0f a second\n", r.Published, r.Seconds, r.Publishes)
	fmt.Fprintf(t, "delivered\t%d\t%.0f a second\n", r.Delivered, r.Deliveries)
	fmt.Fprintf(t, "latency\t%.2f ms\tmedian; 99 %% within %.2f ms, all within %.2f ms\n", r.Latency.P50, r.Latency.P99,
		r.Latency.Max)
	fmt.Fprintf(t, "lost\t%d\nlate or doubled\t%d\n", r.Lost, r.Doubled)
	for _, why := range slices.Sorted(maps.Keys(r.Closed)) {
		fmt.Fprintf(t, "closed\t%d\t%s\n", r.Closed[why], why)
	}
	if r.Interrupted {
		fmt.Fprintln(t, "Interrupted: this is what there was.")
	}
	return t.Flush()
}

// report is what there is to tell now.
func (b *bench) report() *Report {
	r := &Report{
		Connections: b.opened, Mode: b.options.Mode, Rate: b.options.Rate, Size: b.options.Size,
		Published: b.published, Delivered: b.delivered, Lost: b.lost, Doubled: b.doubled, Closed: b.closed,
		Interrupted: b.phase != over,
	}
	connected := b.connected
	if connected == 0 {
		connected = b.now()
	}
	r.Connecting, r.Connects = connected.Seconds(), perSecond(uint64(b.opened), connected)
	took := max(b.lastCame, b.lastSent) - b.began
	r.Seconds = took.Seconds()
	r.Publishes, r.Deliveries = perSecond(b.published, took), perSecond(b.delivered, took)
	r.Latency = Latency{ms(b.latency.quantile(0.5)), ms(b.latency.quantile(0.99)), ms(b.latency.max)}
	return r
}

func perSecond(n uint64, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
