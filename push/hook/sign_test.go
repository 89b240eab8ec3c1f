package hook

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// vectors are also in docs/hooks.md.
var vectors = []struct{ secret, timestamp, body, signature string }{
	{
		"0123456789abcdef0123456789abcdef", "1795400000", `{"events":[]}`,
		"v1=74d2e2e0355b4a8d6e697b76d640be8a4b910f59d0ee9f48132e4e4dcba59feb",
	},
	{
		"another-secret-of-32-characters!", "1795400000", `{"events":[]}`,
		"v1=d93cfb182de710549c71e7ecb201b7cf81160192ddf350b940a954facb6926d4",
	},
	{
		"0123456789abcdef0123456789abcdef", "1795400000",
		`{"events":[{"type":"message","conn":"c:5f3a.1","uid":"7","seq":1795400000123456,"time":1795400000123,` +
			`"data":"grüß dich","n":1}]}`,
		"v1=623a170db8ccfd66d827182db7273c095a32d1ca03567ea842c97885a03a7d06",
	},
	{
		"0123456789abcdef0123456789abcdef", "0", "",
		"v1=b5b3fbed5b59d925316d6d39db497aba70820961dda53dfe23a87559dab1eb6b",
	},
}

func signed(timestamp, signature string) http.Header {
	h := http.Header{}
	h.Set(TimestampHeader, timestamp)
	h.Set(SignatureHeader, signature)
	return h
}

func TestSignVectors(t *testing.T) {
	for _, v := range vectors {
		if got := Sign([]string{v.secret}, v.timestamp, []byte(v.body)); got != v.signature {
			t.Errorf("%s is signed by %s, want %s", v.body, got, v.signature)
		}
		k := Verifier{Secrets: []string{v.secret}, Skew: -1}
		if err := k.Verify(signed(v.timestamp, v.signature), []byte(v.body)); err != nil {
			t.Errorf("%s: %v", v.body, err)
		}
	}
}

// TestRotation has a secret replaced in any order: on either side first, or by two on both.
func TestRotation(t *testing.T) {
	const old, young = "the-old-secret-0123", "the-new-secret-4567"
	now := time.Unix(1795400000, 0)
	body := []byte(`{"events":[]}`)
	for _, c := range []struct {
		signs, knows []string
		good         bool
	}{
		{[]string{old}, []string{old}, true},
		{[]string{young, old}, []string{old}, true},
		{[]string{young, old}, []string{young}, true},
		{[]string{old}, []string{young, old}, true},
		{[]string{old}, []string{young}, false},
		{[]string{old}, nil, false},
		{nil, []string{old}, false},
	} {
		k := Verifier{Secrets: c.knows, Now: func() time.Time { return now }}
		err := k.Verify(signed("1795400000", Sign(c.signs, "1795400000", body)), body)
		if (err == nil) != c.good || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("signed by %q, known %q: %v", c.signs, c.knows, err)
		}
	}
}

// TestVerify changes one thing of a good request.
func TestVerify(t *testing.T) {
	v := vectors[0]
	now := time.Unix(1795400000, 0)
	digits := v.signature[len("v1="):]
	times := func(values ...string) http.Header { return http.Header{TimestampHeader: values} }
	signatures := func(values ...string) http.Header { return http.Header{SignatureHeader: values} }
	for name, c := range map[string]struct {
		change http.Header
		body   string
		at     time.Duration
		want   error
	}{
		"nothing":               {},
		"another body":          {body: `{"events":[ ]}`, want: ErrSignature},
		"no body":               {body: "-", want: ErrSignature},
		"another time":          {change: times("1795400001"), want: ErrSignature},
		"zeros in front":        {change: times("01795400000"), want: ErrSignature},
		"a sign":                {change: times("+1795400000"), want: ErrSignature},
		"no time":               {change: times(), want: ErrSignature},
		"two times":             {change: times(v.timestamp, v.timestamp), want: ErrSignature},
		"no signature":          {change: signatures(), want: ErrSignature},
		"two headers":           {change: signatures(v.signature, v.signature), want: ErrSignature},
		"capitals":              {change: signatures("v1=" + strings.ToUpper(digits))},
		"another version alone": {change: signatures("v2=" + digits), want: ErrSignature},
		"another version too":   {change: signatures("v2=x, " + v.signature)},
		"a short one":           {change: signatures(v.signature[:66]), want: ErrSignature},
		"an empty one":          {change: signatures("v1="), want: ErrSignature},
		"no hexadecimal":        {change: signatures("v1=x" + digits[1:]), want: ErrSignature},
		"too many":              {change: signatures(strings.Repeat("v2=a,", 16) + v.signature), want: ErrSignature},
		"the end of the skew":   {at: DefaultSkew},
		"the beginning of it":   {at: -DefaultSkew},
		"late":                  {at: DefaultSkew + time.Second, want: ErrStale},
		"early":                 {at: -DefaultSkew - time.Second, want: ErrStale},
		"late, and of nobody's": {at: time.Hour, body: "x", want: ErrSignature},
	} {
		h := signed(v.timestamp, v.signature)
		maps.Copy(h, c.change)
		body := v.body
		if c.body != "" {
			body = strings.TrimPrefix(c.body, "-")
		}
		k := Verifier{Secrets: []string{"-", v.secret}, Now: func() time.Time { return now.Add(c.at) }}
		if err := k.Verify(h, []byte(body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// FuzzVerify has nothing be taken for signed but what Sign made.
func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.timestamp, v.signature, []byte(v.body))
	}
	f.Add("99999999999", "v1=,v2=x,=", []byte("x"))
	const secret = "a-secret-of-the-fuzzer"
	k := Verifier{Secrets: []string{secret}, Skew: -1}
	f.Fuzz(func(t *testing.T, timestamp, signature string, body []byte) {
		if k.Verify(signed(timestamp, signature), body) == nil &&
			!strings.Contains(strings.ToLower(signature), Sign([]string{secret}, timestamp, body)) {
			t.Errorf("%q %q %q is taken for signed", timestamp, signature, body)
		}
		_, err := parseTimestamp(timestamp)
		good := Sign([]string{"another", secret}, timestamp, body)
		if got := k.Verify(signed(timestamp, good), body); (got == nil) != (err == nil) {
			t.Errorf("%q %q: %v", timestamp, good, got)
		}
	})
}
