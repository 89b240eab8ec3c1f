package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// routers are the two that are tried, each with the same routes.
func routers() map[string]http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) { hello(w, r.PathValue("name")) })
	mux.HandleFunc("POST /form", form)
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.Handle("GET /old/", http.RedirectHandler("/hello/new", http.StatusMovedPermanently))

	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.RealIP, middleware.Compress(5), middleware.Timeout(time.Minute),
		middleware.StripSlashes, middleware.Recoverer)
	r.Get("/hello/{name}", func(w http.ResponseWriter, r *http.Request) { hello(w, chi.URLParam(r, "name")) })
	r.Post("/form", form)
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	r.Route("/old", func(r chi.Router) {
		r.Use(middleware.BasicAuth("old", map[string]string{"ann": "secret"}))
		r.Get("/*", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/hello/new", http.StatusMovedPermanently)
		})
	})
	return map[string]http.Handler{"net/http": mux, "chi": r}
}

func hello(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "hello %s, %s", name, strings.Repeat("again and ", 1000))
}

func form(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, r.PostForm)
}

// TestRouters has routers and middleware give the same answers behind a worker as under net/http.
func TestRouters(t *testing.T) {
	for name, router := range routers() {
		t.Run(name, func(t *testing.T) {
			addr, _ := serve(t, &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: router})
			plain := httptest.NewUnstartedServer(router)
			plain.Config.ErrorLog = log.New(io.Discard, "", 0)
			plain.Start()
			defer plain.Close()
			for _, request := range []string{
				"GET /hello/ann", "HEAD /hello/ann", "GET /hello/ann%20b", "GET /hello/ann/", "POST /hello/ann",
				"GET /nothing", "GET //hello/ann", "POST /form a=1&b=2&a=3", "POST /form %zz", "GET /panic",
				"GET /old/x", "DELETE /old/x", "OPTIONS /hello/ann", "GET /hello/../hello/x",
			} {
				got, want := ask(t, "http://"+addr, request), ask(t, plain.URL, request)
				if got != want {
					t.Errorf("%s:\n got %.300s\nwant %.300s", request, got, want)
				}
			}
		})
	}
}

// ask sends a request and describes its answer.
func ask(t *testing.T, base, request string) string {
	t.Helper()
	parts := strings.SplitN(request+"  ", " ", 3)
	r, err := http.NewRequest(parts[0], base+parts[1], strings.NewReader(strings.TrimSpace(parts[2])))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := &http.Client{
		Transport: &http.Transport{}, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	a, err := client.Do(r)
	if err != nil {
		return "no answer"
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	a.Header.Del("Date")
	return fmt.Sprint(a.StatusCode, a.Proto, a.Header, a.ContentLength, a.TransferEncoding, a.Uncompressed,
		string(body), err)
}

// TestClient has net/http's client do what it can: keep a connection, wait for 100, stream, send and get trailers, go
// away, and resume a session of TLS.
func TestClient(t *testing.T) {
	gone := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Trailer", "X-Sum")
		_, _ = w.Write(body)
		w.Header().Set("X-Sum", fmt.Sprint(len(body), r.Trailer.Get("X-Told")))
	})
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		gone <- r.Context().Err()
	})
	cert, key := linemantest.CertificateFiles(t, t.TempDir())
	certificate, err := lineman.Certificate(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			w := &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: mux}
			if scheme == "https" {
				w.TLS = &tls.Config{GetCertificate: certificate}
			}
			addr, _ := serve(t, w)
			base := scheme + "://" + addr
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{
					RootCAs: roots, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(4),
				},
				ExpectContinueTimeout: patience,
			}
			client := &http.Client{Transport: transport, Timeout: patience}
			defer client.CloseIdleConnections()

			for i := range 50 {
				reused := false
				ctx := httptrace.WithClientTrace(context.Background(),
					&httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }})
				body := bytes.Repeat([]byte("x"), i*997)
				// chunked
				r, _ := http.NewRequestWithContext(ctx, "POST", base+"/echo",
					struct{ io.Reader }{bytes.NewReader(body)})
				r.Header.Set("Expect", "100-continue")
				r.Trailer = http.Header{"X-Told": {"told"}}
				a, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(a.Body)
				a.Body.Close()
				if err != nil || !bytes.Equal(got, body) || a.Trailer.Get("X-Sum") != fmt.Sprint(len(body), "told") {
					t.Errorf("request %d: %d bytes, trailer %v, %v", i, len(got), a.Trailer, err)
				}
				if reused != (i > 0) {
					t.Errorf("request %d: the connection is used again: %v", i, reused)
				}
			}

			var all sync.WaitGroup
			for range 50 {
				all.Add(1)
				go func() {
					defer all.Done()
					a, err := client.Post(base+"/echo", "text/plain", strings.NewReader("beside others"))
					if err != nil {
						t.Error(err)
						return
					}
					defer a.Body.Close()
					if b, err := io.ReadAll(a.Body); err != nil || string(b) != "beside others" {
						t.Errorf("%q, %v", b, err)
					}
				}()
			}
			all.Wait()

			ctx, leave := context.WithCancel(context.Background())
			r, _ := http.NewRequestWithContext(ctx, "GET", base+"/wait", nil)
			a, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			leave()
			a.Body.Close()
			select {
			case err := <-gone:
				if err != context.Canceled {
					t.Error(err)
				}
			case <-time.After(patience):
				t.Error("the handler does not hear that its client went")
			}

			if scheme == "https" {
				client.CloseIdleConnections()
				a, err := client.Get(base + "/echo")
				if err != nil {
					t.Fatal(err)
				}
				a.Body.Close()
				if !a.TLS.DidResume || a.Proto != "HTTP/1.1" {
					t.Errorf("resumed %v, %s", a.TLS.DidResume, a.Proto)
				}
			}
		})
	}
}

// TestCurl has curl upload and download, in parts and whole, over one connection and several.
func TestCurl(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large")
	content := bytes.Repeat([]byte("0123456789abcdef"), 100<<20/16)
	if err := os.WriteFile(large, content, 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := linemantest.CertificateFiles(t, folder)
	for _, secure := range []bool{false, true} {
		args := []string{"-addr", "http://127.0.0.1:0", "-files", folder}
		if secure {
			args = append(args, "-cert", cert, "-key", key)
		}
		base := start(t, "site", args...).find(`(https?://[0-9.:]+)/`)[0]
		curl := func(args ...string) string {
			t.Helper()
			return output(t, "", "curl", append([]string{"-sS", "--cacert", cert}, args...)...)
		}
		if got := curl("-F", "file=@"+large, base+"/upload"); !strings.HasPrefix(got,
			"large: 104857600 bytes, SHA-256 ") {
			t.Errorf("upload: %q", got)
		}
		copied := filepath.Join(folder, "copied")
		curl("-o", copied, base+"/files/large")
		if got, err := os.ReadFile(copied); err != nil || !bytes.Equal(got, content) {
			t.Errorf("download: %d bytes, %v", len(got), err)
		}
		if err := os.Truncate(copied, 50<<20); err != nil {
			t.Fatal(err)
		}
		curl("-C", "-", "-o", copied, base+"/files/large")
		if got, err := os.ReadFile(copied); err != nil || !bytes.Equal(got, content) {
			t.Errorf("the rest of a download: %d bytes, %v", len(got), err)
		}
		if got := curl("-r", "1-4", base+"/files/large"); got != "1234" {
			t.Errorf("a part: %q", got)
		}
		if got := curl("-I", base+"/files/large"); !strings.HasPrefix(got, "HTTP/1.1 200") ||
			!strings.Contains(got, "Content-Length: 104857600") {
			t.Errorf("HEAD: %q", got)
		}
		if got := curl("--http1.0", "--no-alpn", "-r", "0-3", "-i", base+"/files/large"); !strings.HasSuffix(got,
			"\r\n\r\n0123") {
			t.Errorf("HTTP/1.0: %q", got)
		}
		if got := curl("-w", "%{num_connects}\n", "-o", os.DevNull, base+"/", "-o", os.DevNull, base+"/", "-o",
			os.DevNull, base+"/"); got != "1\n0\n0\n" {
			t.Errorf("connections: %q", got)
		}
		if got := curl("--path-as-is", "-o", os.DevNull, "-w", "%{http_code}",
			base+"/files/../../../etc/passwd"); got == "200" {
			t.Error("a path leads out of the folder")
		}
	}
}

// TestWrk loads every way of serving for a second: no request fails.
func TestWrk(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file"), make([]byte, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	byHandler, _ := serve(t,
		&lineman.Worker{
			Addr: "http://127.0.0.1:0",
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "hello")
			}),
		})
	onMessage := &lineman.Worker{Addr: "http://127.0.0.1:0"}
	onMessage.OnMessage = func(c *lineman.Conn, _ []byte) { _ = c.Send([]byte("hello")) }
	byMessage, _ := serve(t, onMessage)
	files, _ := serve(t, &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: lineman.Files(http.Dir(folder))})
	for _, url := range []string{"http://" + byHandler, "http://" + byMessage, "http://" + files + "/file"} {
		got := output(t, "", "wrk", "-t1", "-c20", "-d1", url)
		if !strings.Contains(got, "requests in") || strings.Contains(got, "Socket errors") ||
			strings.Contains(got, "Non-2xx") {
			t.Errorf("%s:\n%s", url, got)
		}
	}
}

// TestNoBody has the end of a client's stream behind its request not taken for its going away.
func TestNoBody(t *testing.T) {
	addr, _ := serve(t, &lineman.Worker{Addr: "http://127.0.0.1:0", Handler: routers()["chi"]})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, "GET /hello/nc HTTP/1.0\r\n\r\n")
	_ = c.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.0 200 OK") {
		t.Errorf("%.100q, %v", got, err)
	}
}
