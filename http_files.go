package lineman

import (
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Files serves the files of root, such as http.Dir("public"), as http.FileServer does, with ranges, conditional
// requests and directories. If there is a file with the same name and ".br" or ".gz", clients that accept that encoding
// get it: so a file is compressed only once, when it is made. It is a Handler like any other, also for Conn.Serve.
//
// A file of http.Dir on plain TCP is sent by the kernel, without a copy in this process, on Linux.
func Files(root http.FileSystem) http.Handler { return files{root, http.FileServer(root)} }

type files struct {
	root  http.FileSystem
	plain http.Handler
}

// encodings are the neighbours that are looked for, the smaller first.
var encodings = [...]struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

func (f files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.serveEncoded(w, r) {
		f.plain.ServeHTTP(w, r)
	}
}

// serveEncoded answers with a file's neighbour and reports whether it did.
func (f files) serveEncoded(w http.ResponseWriter, r *http.Request) bool {
	name := r.URL.Path
	if strings.HasSuffix(name, "/index.html") { // the other handler sends it to the folder
		return false
	}
	if strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	original, _, err := f.open(name)
	if err != nil {
		return false
	}
	defer original.Close()
	for _, e := range encodings {
		file, info, err := f.open(name + e.suffix)
		if err != nil {
			continue
		}
		defer file.Close()
		if w.Header().Get("Vary") == "" {
			w.Header().Set("Vary", "Accept-Encoding")
		}
		if !accepts(r.Header.Values("Accept-Encoding"), e.name) {
			continue
		}
		w.Header().Set("Content-Type", contentType(original, name))
		w.Header().Set("Content-Encoding", e.name)
		// http.ServeContent does not tell the length of an encoding.
		w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
		http.ServeContent(w, r, name, info.ModTime(), file)
		return true
	}
	return false
}

// open opens a regular file.
func (f files) open(name string) (http.File, fs.FileInfo, error) {
	file, err := f.root.Open(path.Clean("/" + name))
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// contentType is what http.ServeContent would find for the original.
func contentType(original io.Reader, name string) string {
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	begin := make([]byte, 512)
	n, _ := io.ReadFull(original, begin) // what there is
	return http.DetectContentType(begin[:n])
}

// accepts reports whether Accept-Encoding names a coding, and not with a weight of zero (RFC 9110, 12.5.3).
func accepts(fields []string, coding string) bool {
	for _, field := range fields {
		for _, item := range strings.Split(field, ",") {
			name, weight, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), coding) {
				continue
			}
			_, q, weighed := strings.Cut(weight, "=")
			v, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return !weighed || err == nil && v > 0
		}
	}
	return false
}
