package token

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

// pace is how often a key set is fetched.
type pace struct {
	every time.Duration // without a reason
	retry time.Duration // after it failed
	apart time.Duration // at least, for a kid that is not known
}

func usualPace() pace {
	return pace{every: 15 * time.Minute, retry: 30 * time.Second, apart: 10 * time.Second}
}

const (
	fetchTime = 10 * time.Second // of one fetch
	fetchSize = 1 << 20          // bytes of a key set
	headSize  = 64 << 10         // bytes of what stands before it
)

// keySet is a JSON Web Key Set (JWKS): the public keys of a URL. One goroutine fetches them; who needs a key that is
// not there waits for it.
type keySet struct {
	url    string
	log    *slog.Logger
	pace   pace
	client *http.Client
	store  jwkset.Storage
	lookup keyfunc.Keyfunc
	asked  chan struct{} // wakes the goroutine
	cancel context.CancelFunc
	ended  chan struct{}

	mu    sync.Mutex    // guards the following
	over  chan struct{} // closed when the fetch that is wanted or under way is over; nil: there is none
	began time.Time     // the last fetch
	ends  int           // fetches that are over
	fault error         // of the last one; nil: the keys are those of the URL
}

func newKeySet(address string, log *slog.Logger, p pace) (*keySet, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("token: Options.JWKS wants a URL, such as https://example.com/.well-known/jwks.json")
	}
	if p == (pace{}) {
		p = usualPace()
	}
	store := publicKeys{jwkset.NewMemoryStorage()}
	lookup, err := keyfunc.New(keyfunc.Options{Storage: store, UseWhitelist: []jwkset.USE{jwkset.UseSig, ""}})
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &keySet{
		url: address, log: log.With("jwks", u.Host), pace: p, client: newClient(), store: store, lookup: lookup,
		asked: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{}), over: make(chan struct{}),
	}
	go s.run(ctx)
	return s, nil
}

// newClient makes a client that is not led elsewhere, nor fed without end.
func newClient() *http.Client {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
		TLSHandshakeTimeout: fetchTime, MaxResponseHeaderBytes: headSize,
	}
	return &http.Client{
		Transport:     bounded{t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// bounded cuts answers that are too long.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, fetchSize)
	}
	return answer, err
}

// close ends the goroutine, and waits for it.
func (s *keySet) close() {
	s.cancel()
	<-s.ended
}

// run fetches the set now, and again when it is time or somebody asks.
func (s *keySet) run(ctx context.Context) {
	defer close(s.ended)
	for {
		err := s.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		wait := s.pace.every
		if err != nil {
			wait = s.pace.retry
			s.log.Warn("token: the key set cannot be fetched: credentials by keys that are not known have to wait",
				"error", err, "retry", wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.asked:
		}
		timer.Stop()
	}
}

// fetch replaces the keys by those of the URL, and wakes who waits.
func (s *keySet) fetch(ctx context.Context) error {
	s.mu.Lock()
	s.began = time.Now()
	if s.over == nil {
		s.over = make(chan struct{})
	}
	s.mu.Unlock()
	_, err := jwkset.NewStorageFromHTTP(s.url, jwkset.HTTPClientStorageOptions{
		Client: s.client, Ctx: ctx, HTTPTimeout: fetchTime, Storage: s.store,
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.over)
	s.over = nil
	s.ends++
	var request *url.Error
	if errors.As(err, &request) { // it has the URL, which may have a password
		err = request.Err
	}
	s.fault = err
	return err
}

// find is the key of a kid, if it is for the algorithm. A kid that is in no set is ErrNoKey; one that may be in a set
// that could not be fetched is ErrUnavailable, too.
func (s *keySet) find(ctx context.Context, algorithm, kid string) (any, error) {
	s.mu.Lock()
	ends := s.ends
	s.mu.Unlock()
	key, err := s.known(algorithm, kid)
	if !errors.Is(err, ErrNoKey) {
		return key, err
	}
	fault := s.renew(ctx, ends)
	if key, err = s.known(algorithm, kid); errors.Is(err, ErrNoKey) && fault != nil {
		return nil, unavailable{fault}
	}
	return key, err
}

// unavailable is why there is no key that may be there later.
type unavailable struct{ err error }

func (u unavailable) Error() string   { return ErrUnavailable.Error() + ": " + u.err.Error() }
func (u unavailable) Unwrap() []error { return []error{ErrNoKey, ErrUnavailable, u.err} }

// known is like find, of the keys that are there.
func (s *keySet) known(algorithm, kid string) (any, error) {
	key, err := s.lookup.Keyfunc(&jwt.Token{Header: map[string]any{"alg": algorithm, jwkset.HeaderKID: kid}})
	switch {
	case errors.Is(err, jwkset.ErrKeyNotFound):
		return nil, ErrNoKey
	case err != nil:
		return nil, ErrAlgorithm // the key is for another one, or for another use
	}
	if possible, err := algorithmsOf(key); err != nil || !slices.Contains(possible, algorithm) {
		return nil, ErrAlgorithm
	}
	return key, nil
}

// renew waits for a fetch that is not among so many that are over, and tells why the keys that are there may not be
// those of the URL now.
func (s *keySet) renew(ctx context.Context, ends int) error {
	end, fault := s.ask(ends)
	if end == nil {
		return fault
	}
	select {
	case <-end:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.fault
	case <-s.ended:
		return errors.New("the key set is no longer fetched")
	case <-ctx.Done():
		return fmt.Errorf("the key set did not come in time: %w", ctx.Err())
	}
}

var errTooSoon = errors.New("the key set was fetched a moment ago")

// ask has the set fetched, and returns what is closed when that is over. There is no fetch, and nil, if one has ended
// meanwhile, or began just now.
func (s *keySet) ask(ends int) (end <-chan struct{}, fault error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	justNow := time.Since(s.began) < s.pace.apart
	switch {
	case s.over != nil:
		return s.over, nil
	case s.ends != ends, justNow && s.fault != nil:
		return nil, s.fault
	case justNow:
		return nil, errTooSoon
	}
	s.over = make(chan struct{})
	select {
	case s.asked <- struct{}{}:
	default: // it was asked, and has not looked yet
	}
	return s.over, nil
}

// publicKeys keeps the keys that a credential can be checked by: no secrets, none that is too short.
type publicKeys struct{ *jwkset.MemoryJWKSet }

// KeyReplaceAll keeps the keys that it has if there are no others: an error page may be JSON as well.
func (p publicKeys) KeyReplaceAll(ctx context.Context, given []jwkset.JWK) error {
	var good []jwkset.JWK
	for _, k := range given {
		key := k.Key()
		if private, ok := key.(crypto.Signer); ok {
			key = private.Public()
		}
		_, secret := key.([]byte)
		if _, err := algorithmsOf(key); err == nil && !secret {
			good = append(good, k)
		}
	}
	if len(good) == 0 {
		return errors.New("there is no key in it that could be used")
	}
	return p.MemoryJWKSet.KeyReplaceAll(ctx, good)
}
