//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
)

// nginxConfig is for one process that answers as subject does, with the cipher that Go's servers choose.
const nginxConfig = `daemon off;
master_process off;
pid DIR/nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 40000;
events { worker_connections 40000; }
http {
	access_log off;
	keepalive_requests 1000000000;
	keepalive_timeout 1h;
	client_body_temp_path DIR/nginx-body;
	proxy_temp_path DIR/nginx-proxy;
	fastcgi_temp_path DIR/nginx-fastcgi;
	uwsgi_temp_path DIR/nginx-uwsgi;
	scgi_temp_path DIR/nginx-scgi;
	default_type text/plain;
	ssl_certificate CERT;
	ssl_certificate_key KEY;
	ssl_protocols TLSv1.2 TLSv1.3;
	ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
	server {
		listen 127.0.0.1:PORT;
		location / { return 200 "Hello, World!"; }
	}
}
`

// nginx is the installed one.
func nginx(b *builder) (*program, error) {
	bin, err := installed("nginx")
	if err != nil {
		return nil, err
	}
	version := strings.TrimPrefix(says(bin, "-v"), "nginx version: ")
	return &program{version: version, command: func(proto string, ports []string) ([]string, error) {
		listen := ports[0]
		if proto == "https" {
			listen += " ssl"
		}
		config := strings.NewReplacer("DIR", b.dir, "CERT", b.cert, "KEY", b.key, "PORT", listen).Replace(nginxConfig)
		file := filepath.Join(b.dir, "nginx.conf")
		return []string{bin, "-c", file, "-e", "stderr"}, os.WriteFile(file, []byte(config), 0o600)
	}}, nil
}
