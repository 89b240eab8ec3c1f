package server_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/lineman-go/lineman/cmd/lineman/internal/server"
)

// BenchmarkDashboard makes what an open dashboard is told each second, with some pages and busy channels.
func BenchmarkDashboard(b *testing.B) {
	r := start(b, devMode(), server.Options{})
	line := r.backend()
	for i := range 100 {
		r.page(fmt.Sprint("uid", i))
		r.counts(line, "*", i+1)
		ask(line, fmt.Sprintf(`{"cmd":"subscribe","to":"*","channel":"chat:%d"}`, i))
		ask(line, fmt.Sprintf(`{"cmd":"pub","to":"chat:%d","text":"x"}`, i))
	}
	size := 0
	for b.Loop() {
		report, err := r.server.Figures()
		if err != nil {
			b.Fatal(err)
		}
		text, err := json.Marshal(report)
		if err != nil {
			b.Fatal(err)
		}
		size = len(text)
	}
	b.ReportMetric(float64(size), "B/report")
}
