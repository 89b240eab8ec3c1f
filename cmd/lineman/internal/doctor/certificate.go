package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// soon is how long before its end a certificate should have been renewed.
const soon = 14 * 24 * time.Hour

// certificate is that of the port for pages, if there is one.
func certificate(m *Machine, o *Options) []Finding {
	const name = "certificate"
	if o.Cert == "" {
		return nil
	}
	cert, err := m.ReadFile(o.Cert)
	if err != nil {
		return unreadableFile(name, o.Cert, err)
	}
	key, err := m.ReadFile(o.Key)
	if err != nil {
		return unreadableFile(name, o.Key, err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fail(name, fmt.Sprintf("%s and %s: %v", o.Cert, o.Key, err),
			fmt.Sprintf("openssl x509 -noout -text -in %s; openssl pkey -noout -check -in %s", o.Cert, o.Key))
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fail(name, fmt.Sprintf("%s: %v", o.Cert, err), "openssl x509 -noout -text -in "+o.Cert)
	}
	return inTime(name, leaf, m.Now())
}

// inTime judges from when and until when a certificate is good.
func inTime(name string, c *x509.Certificate, now time.Time) []Finding {
	const fix = "sudo certbot renew, or what you get certificates by; the server reads the new files by itself"
	found := "of " + strings.Join(c.DNSNames, ", ")
	if len(c.DNSNames) == 0 {
		found = "of " + c.Subject.String()
	}
	end := c.NotAfter.UTC().Format(time.RFC3339)
	switch {
	case now.Before(c.NotBefore):
		return fail(name, found+", good from "+c.NotBefore.UTC().Format(time.RFC3339)+" only",
			"date -u, and see whether the clock is right")
	case now.After(c.NotAfter):
		return fail(name, found+", expired on "+end, fix)
	case now.Add(soon).After(c.NotAfter):
		return warn(name, found+", expires on "+end, fix)
	}
	return ok(name, found+", good until "+end)
}

func unreadableFile(name, file string, err error) []Finding {
	if errors.Is(err, fs.ErrPermission) {
		return fail(name, err.Error(),
			fmt.Sprintf("sudo chgrp lineman %s && sudo chmod 640 %[1]s, or run this as the user of the server", file))
	}
	return fail(name, err.Error(), "write it there, or name another file by tls.cert and tls.key: ls -l "+file)
}
