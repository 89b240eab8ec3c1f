package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/lineman-go/lineman/push/hook"
)

// Hook is a URL of the application, as the settings have it.
type Hook struct {
	hook.Endpoint
	Tells   bool // it is told events
	Decides []string
}

// slowHook is how long an answer takes that is too slow for pages that wait for it.
const slowHook = time.Second

// hooks can be reached, and answer as they should. Each is told an empty list of events, or is asked about a page that
// shows nothing: so no application does anything by it. What pages subscribe to, publish and call is not asked.
func hooks(_ *Machine, o *Options) (all []Finding) {
	for i := range o.Hooks {
		all = append(all, o.Hooks[i].visit()...)
	}
	return all
}

func (h *Hook) check() string { return "hook " + h.Name }

func (h *Hook) visit() (all []Finding) {
	c, err := hook.NewClient(h.Endpoint)
	if err != nil {
		return h.away(err)
	}
	defer c.Close()
	if h.Tells {
		began := time.Now()
		a, err := c.Post(context.Background(), []byte(`{"events":[]}`))
		if err == nil && !a.IsGood() {
			err = &hook.StatusError{Name: h.Name, Status: a.Status}
		}
		all = append(all, h.judge("takes events", time.Since(began), err)...)
	}
	if slices.Contains(h.Decides, "connect") {
		began := time.Now()
		err := askAboutNobody(c, h.Timeout)
		all = append(all, h.judge("says who a page is", time.Since(began), err)...)
	}
	if all == nil {
		return h.reach(c)
	}
	return all
}

// reach tells whether there is anything at the URL. What it would decide it is not asked, for it could do something.
func (h *Hook) reach(c *hook.Client) []Finding {
	a, err := c.Post(context.Background(), []byte(`{"events":[]}`))
	if err == nil && (a.Status >= 300 && a.Status <= 399 || a.Status >= 401 && a.Status <= 405) {
		err = &hook.StatusError{Name: h.Name, Status: a.Status}
	}
	if err != nil {
		return h.away(err)
	}
	return ok(h.check(), fmt.Sprintf("is reached, and answers %d to an empty list of events; what it decides was not "+
		"asked", a.Status))
}

// askAboutNobody asks who a page is that shows nothing. The error says that the answer is none.
func askAboutNobody(c *hook.Client, limit time.Duration) error {
	calls := make(chan func(), 1)
	var problem, answer error
	decided := false
	d := hook.NewDecider(hook.DeciderOptions{
		Ask: c.Ask, Timeout: limit, Most: 1, Problem: func(err error) { problem = err },
		Do: func(f func()) { calls <- f }, After: func(time.Duration, func()) {},
	})
	d.Connect(&hook.Connect{Conn: "c:doctor.0", Remote: "127.0.0.1:0", Path: "/"}, func(_ hook.Login, err error) {
		answer, decided = err, true
	})
	for !decided {
		(<-calls)()
	}
	switch {
	case !errors.Is(answer, hook.ErrAway): // yes, or no
		return nil
	case problem != nil:
		return problem
	}
	return answer
}

// judge tells how a hook has answered.
func (h *Hook) judge(what string, took time.Duration, err error) []Finding {
	switch {
	case err != nil:
		return h.away(err)
	case took > slowHook:
		return warn(h.check(), fmt.Sprintf("%s, but takes %v for an answer", what, took.Round(10*time.Millisecond)),
			"have it answer first, and do later what takes long")
	}
	return ok(h.check(), fmt.Sprintf("%s, within %v", what, took.Round(100*time.Microsecond)))
}

// away tells why a hook does not do what it should. The URL is not shown, as a secret may stand in it.
func (h *Hook) away(err error) []Finding {
	host := h.host()
	at := "hooks." + h.Name
	var status *hook.StatusError
	var wrong *hook.WrongError
	var name *net.DNSError
	var badRecord tls.RecordHeaderError
	var untrusted *tls.CertificateVerificationError
	var timeout net.Error
	found, fix := err.Error(), "see whether "+at+".url is right, and whether this machine reaches it"
	switch {
	case errors.As(err, &status):
		found, fix = h.answered(status.Status)
	case errors.As(err, &wrong):
		fix = "have the application answer as docs/deciding.md says"
	case errors.Is(err, hook.ErrPrivate):
		found, fix = host+" is on this machine, or in a private network, where a hook cannot be unless you say so",
			at+".private: true, if it is meant to be there"
	case errors.As(err, &name):
		found, fix = fmt.Sprintf("%s is not found: %s", name.Name, name.Err), "getent hosts "+name.Name+
			", and see whether "+at+".url is right"
	case errors.As(err, &untrusted), isOfCertificate(err):
		fix = "openssl s_client -connect " + host + " shows the certificate: have one that this machine trusts"
	case errors.As(err, &badRecord), errors.Is(err, http.ErrSchemeMismatch):
		found, fix = host+" does not speak TLS", "the port in "+at+".url is perhaps that for http"
	case errors.Is(err, syscall.ECONNREFUSED):
		found, fix = "nothing listens on "+host, "start the application, or put "+at+".url right"
	case errors.As(err, &timeout) && timeout.Timeout():
		found, fix = fmt.Sprintf("%s does not answer within %v", host, h.Timeout),
			"see what it does meanwhile; a firewall also looks like this"
	}
	return fail(h.check(), found, fix)
}

func isOfCertificate(err error) bool {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	return errors.As(err, &authority) || errors.As(err, &invalid) || errors.As(err, &name)
}

// host is that of the URL, with its port.
func (h *Hook) host() string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return "its host"
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return u.Host
}

// answered is what a status means that should be another one.
func (h *Hook) answered(status int) (found, fix string) {
	found = fmt.Sprintf("%s answers %d %s", h.host(), status, http.StatusText(status))
	at := "hooks." + h.Name
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return found + ": perhaps it does not believe the signature", "have it know the secret of " + at +
			".secrets, and compare the clocks: date -u"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return found + " to a POST", "put " + at + ".url right, or have the application take a POST there"
	case status >= 300 && status < 400:
		return found + ", and no redirect is followed", "put the address that it leads to into " + at + ".url"
	case status >= 500:
		return found, "see the log of the application"
	}
	return found, "have the application answer 200"
}
