package server_test

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/figures"
	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
	"github.com/lineman-go/lineman/linemantest"
)

// figures are those of now.
func (r *running) figures() figures.Report {
	r.t.Helper()
	report, err := r.server.Figures()
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// past is the last hour of a node, by its ID; of all, if that is empty.
func (r *running) past(id string) figures.Series {
	r.t.Helper()
	all, err := r.server.Past(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return all[id]
}

// done is how much was done in some intervals, in all.
func done(in []figures.Point) map[string]float64 {
	all := map[string]float64{}
	for _, p := range in {
		all["published"] += p.Published * p.Seconds
		all["delivered"] += p.Delivered * p.Seconds
		all["refused"] += p.Refused * p.Seconds
		all["in"] += p.BytesIn * p.Seconds
		all["lag"] += float64(p.Lag.Samples)
	}
	return all
}

// metric is the value of one.
func (r *running) metric(name string) float64 {
	r.t.Helper()
	admin := *r
	admin.api = r.admin
	_, text := admin.get("/metrics", nil)
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		r.t.Fatalf("there is no metric %s", name)
	}
	v, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// TestFiguresTruth drives a known load, and has the figures and the metrics tell it: on one loop, and on three.
func TestFiguresTruth(t *testing.T) {
	for _, loops := range []int{1, 3} {
		t.Run(fmt.Sprint(loops), func(t *testing.T) { figuresOfLoad(t, loops) })
	}
}

func figuresOfLoad(t *testing.T, loops int) {
	const plain, level1, streams, strangers, toUID, toChannel = 9, 6, 3, 4, 30, 20
	c := chats(10)
	c.Loops = loops
	r := start(t, c, server.Options{})
	linemantest.Until(t, "no figures come", func() bool { return r.figures().Now.At != 0 })
	b := r.backend()
	for i := range plain {
		r.page(fmt.Sprint("plain", i))
	}
	for i := range level1 {
		p := r.live(t)
		p.hello(fmt.Sprintf(`,"token":"live%d","sub":{"chat:x":""}`, i))
	}
	for range streams {
		r.ask(t, "token=streams&sub=chat:x", "")
	}
	for range strangers {
		told(t, r.page(strings.Repeat("x", 300)), 4001) // no uid is so long
	}
	r.counts(b, "chat:x", level1+streams)
	r.counts(b, "*", plain+level1+streams)
	for range toUID {
		ask(b, `{"cmd":"pub","to":"u:plain3","text":"hello"}`)
	}
	for range toChannel {
		ask(b, `{"cmd":"pub","to":"chat:x","text":"hello"}`)
	}
	r.isTold(t, map[string]float64{
		"published": toUID + toChannel, "delivered": toUID + toChannel*(level1+streams), "refused": strangers,
	})
	now := r.figures()
	want := figures.Conns{
		Pages: plain + level1 + streams, Level0: plain, Level1: level1, Streams: streams, BackEnds: 1,
		UIDs: plain + level1 + 1, Channels: 1,
	}
	now.Now.Conns.Waiting = 0 // strangers are about to go
	if now.Now.Conns != want {
		t.Errorf("the connections are %+v, want %+v", now.Now.Conns, want)
	}
	if got, want := now.Now.History.Messages, 10+10; got != want { // of the channel, and of the uid
		t.Errorf("%d messages are kept, want %d", got, want)
	}
	busy := now.Top.Channels
	if len(busy) != 1 || busy[0].Name != "chat:x" || now.Top.UIDs[0].Name != "plain3" {
		t.Errorf("the busiest are %+v", now.Top)
	} else if part := busy[0].Delivered / busy[0].Published; math.Abs(part-(level1+streams)) > 0.5 {
		t.Errorf("a publication of the channel goes to %v, want %d", part, level1+streams)
	}
	if len(now.Refusals) != strangers || now.Refusals[0].Reason != "credential" || now.Refusals[0].Advice == "" ||
		now.Refusals[0].Remote == "" {
		t.Errorf("the refusals are %+v", now.Refusals)
	}
}

// isTold waits until the figures have told so much in all, and the metrics agree.
func (r *running) isTold(t *testing.T, want map[string]float64) {
	t.Helper()
	var got map[string]float64
	linemantest.Until(t, "the figures do not tell all", func() bool {
		got = done(r.past("").Seconds)
		for name, n := range want {
			if got[name] < n-0.001 {
				return false
			}
		}
		return true
	})
	for name, n := range want {
		if math.Abs(got[name]-n) > 0.001 {
			t.Errorf("%v were %s by the figures, want %v", got[name], name, n)
		}
	}
	for name, metric := range map[string]string{
		"published": "lineman_publishes_total", "delivered": "lineman_deliveries_total",
		"refused": `lineman_refusals_total{reason="credential"}`,
	} {
		if n := r.metric(metric); math.Abs(n-got[name]) > 0.001 {
			t.Errorf("%v were %s by the metrics, %v by the figures", n, name, got[name])
		}
	}
	linemantest.Until(t, "the lags of the figures are not those of the metrics", func() bool { // they are written later
		return math.Abs(r.metric("lineman_publish_lag_seconds_count")-done(r.past("").Seconds)["lag"]) < 0.001
	})
	if got["in"] < 1000 {
		t.Errorf("%v bytes were read", got["in"])
	}
}

// TestFiguresSlow names the page that does not read, once something has waited for a while.
func TestFiguresSlow(t *testing.T) {
	c := devMode()
	c.Limits.Pending = 64 << 20
	r := start(t, c, server.Options{})
	b := r.backend()
	r.page("slow")
	r.known(b, "slow")
	text := strings.Repeat("x", 20_000)
	pending := false
	linemantest.Until(t, "nobody is slow", func() bool {
		if !pending {
			for range 20 {
				ask(b, fmt.Sprintf(`{"cmd":"pub","to":"u:slow","text":%q}`, text))
			}
		}
		now := r.figures()
		pending = now.Now.Queued.Bytes > 0
		return len(now.Slow) == 1 && now.Slow[0].UID == "slow" && now.Slow[0].Bytes > 0 && now.Slow[0].Remote != ""
	})
}
