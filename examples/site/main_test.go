package main

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lineman-go/lineman/linemantest"
)

// TestSite uploads a file, and comes back to the clock after the second event.
func TestSite(t *testing.T) {
	linemantest.NoLeaks(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	w := worker("http://127.0.0.1:0", t.TempDir())
	c := newClock(ctx)
	w.Handler = router(c, t.TempDir())
	s := linemantest.Start(t, w)
	base := "http://" + s.Addr(w).String()
	client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
	defer client.CloseIdleConnections()

	var form bytes.Buffer
	fields := multipart.NewWriter(&form)
	part, _ := fields.CreateFormFile("file", "hello.txt")
	_, _ = part.Write([]byte("hello"))
	_ = fields.Close()
	answer, err := client.Post(base+"/upload", fields.FormDataContentType(), &form)
	if err != nil {
		t.Fatal(err)
	}
	told, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if want := "hello.txt: 5 bytes, SHA-256 2cf24dba5fb0a30e"; !strings.HasPrefix(string(told), want) {
		t.Errorf("%q, want %q", told, want)
	}

	for i := range 4 {
		c.tick(time.Date(2026, 1, 1, 12, 0, i, 0, time.UTC))
	}
	r, _ := http.NewRequest("GET", base+"/clock", nil)
	r.Header.Set("Last-Event-ID", "2")
	stream, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	want := "id: 3\nretry: 1000\ndata: 12:00:02\n\nid: 4\nretry: 1000\ndata: 12:00:03\n\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(stream.Body, got); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	c.tick(time.Date(2026, 1, 1, 12, 0, 4, 0, time.UTC))
	want = "id: 5\nretry: 1000\ndata: 12:00:04\n\n"
	got = make([]byte, len(want))
	if _, err := io.ReadFull(stream.Body, got); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	stop()
	if rest, err := io.ReadAll(stream.Body); err != nil || len(rest) > 0 {
		t.Errorf("the end: %q, %v", rest, err)
	}
}
