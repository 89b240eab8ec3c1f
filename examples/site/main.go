// A site behind a router of net/http: a page, uploads, a stream of events, files and a WebSocket on one port.
//
//	go run ./examples/site
//	go run ./examples/site -addr http://127.0.0.1:8443 -cert cert.pem -key key.pem
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/protocol/websocket"
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "http://127.0.0.1:8080", "`address` to listen on")
	files := flag.String("files", ".", "`folder` that is served below /files/")
	cert := flag.String("cert", "", "certificate `file`, for https and wss")
	key := flag.String("key", "", "its key's `file`")
	flag.Parse()

	w := worker(*addr, *files)
	if *cert != "" {
		if err := secure(w, *cert, *key); err != nil {
			fmt.Fprintln(os.Stderr, "site:", err)
			os.Exit(1)
		}
	}
	lineman.Main(w)
}

func secure(w *lineman.Worker, cert, key string) error {
	certificate, err := lineman.Certificate(cert, key)
	w.TLS = &tls.Config{GetCertificate: certificate}
	return err
}

func worker(addr, files string) *lineman.Worker {
	ctx, end := context.WithCancel(context.Background())
	c := newClock(ctx)
	w := &lineman.Worker{Name: "site", Addr: addr, Handler: router(c, files)}
	w.OnStart = func(l *lineman.Loop) error {
		l.Every(time.Second, func() { c.tick(time.Now()) })
		scheme := "http"
		if w.TLS != nil {
			scheme = "https"
		}
		fmt.Printf("site: open %s://%s/\n", scheme, l.Listener(w).Addr())
		return nil
	}
	// A stream of events has no end of its own: without this, a reload and a stop would have to break it off.
	w.OnReload = func(*lineman.Loop) { end() }
	w.OnStop = func(*lineman.Loop) { end() }
	return w
}

// router is an ordinary handler: nothing in it knows where it runs, but for the WebSocket.
func router(c *clock, files string) http.Handler {
	echo := &lineman.Worker{Name: "echo", Protocol: &websocket.Protocol{Compression: &websocket.Compression{}}}
	echo.OnMessage = func(c *lineman.Conn, msg []byte) { _ = c.Send(msg) }
	echo.OnFull = func(c *lineman.Conn) { c.Abort() } // who does not read its answers has lost its place

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	mux.HandleFunc("POST /upload", upload)
	mux.Handle("GET /clock", c)
	mux.Handle("GET /files/", http.StripPrefix("/files", lineman.Files(http.Dir(files))))
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) {
		if err := lineman.Upgrade(w, r, echo); err != nil {
			fmt.Fprintln(os.Stderr, "site:", err)
		}
	})
	return mux
}

// upload tells about each file of a form. The files go by: none is kept, however large they are.
func upload(w http.ResponseWriter, r *http.Request) {
	form, err := r.MultipartReader()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var answer []byte
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		line, err := describe(part)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer = append(answer, line...)
	}
	_, _ = w.Write(answer)
}

func describe(part *multipart.Part) ([]byte, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, part)
	if err != nil || part.FileName() == "" {
		return nil, err
	}
	return fmt.Appendf(nil, "%s: %d bytes, SHA-256 %x\n", part.FileName(), n, sum.Sum(nil)), nil
}
