package e2e

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"

	"github.com/lineman-go/lineman/linemantest"
)

// mostApart is how much longer a push to another node may take than one to the same node.
const mostApart = 3 * time.Millisecond

// TestClusterLatency pushes to a page of the node that the back end is connected to, and to one of another node, in
// turn: the 99th percentiles are not far apart.
func TestClusterLatency(t *testing.T) {
	r := startRedis(t)
	near, far := startLineman(t, "--redis-addresses", r.addr), startLineman(t, "--redis-addresses", r.addr)
	backend := dial(t, near.backends)
	answers := bufio.NewReader(backend)
	push := func(uid string, page net.Conn, n int) (took time.Duration, answer string) {
		t.Helper()
		line := fmt.Sprintf(`{"uid":%q,"n":%d}`, uid, n)
		began := time.Now()
		fmt.Fprintln(backend, line)
		if page != nil {
			if got, err := wsutil.ReadServerText(page); err != nil || string(got) != line {
				t.Fatalf("the page got %q, %v, want %s", got, err, line)
			}
			took = time.Since(began)
		}
		answer, err := answers.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return took, answer
	}
	come := func(addr, uid string) net.Conn {
		t.Helper()
		page := visit(t, addr)
		if err := wsutil.WriteClientText(page, []byte(uid)); err != nil {
			t.Fatal(err)
		}
		linemantest.Until(t, uid+" does not become known",
			func() bool { _, answer := push(uid, nil, 0); return answer == "ok\n" })
		if _, err := wsutil.ReadServerText(page); err != nil {
			t.Fatal(err)
		}
		return page
	}
	here, there := come(near.pages, "here"), come(far.pages, "there")
	const times = 2000
	at := func(all []time.Duration, part float64) time.Duration {
		slices.Sort(all)
		return all[int(float64(len(all)-1)*part)].Round(time.Microsecond)
	}
	more := time.Hour
	for round := 0; round < 10 && more > mostApart; round++ { // what else runs hits now the ones, now the others
		var same, other, apart []time.Duration
		for n := range times {
			a, _ := push("here", here, n)
			b, _ := push("there", there, n)
			same, other, apart = append(same, a), append(other, b), append(apart, b-a)
		}
		t.Logf("to the same node: median %v, 99 %% within %v", at(same, 0.5), at(same, 0.99))
		t.Logf("to another node:  median %v, 99 %% within %v", at(other, 0.5), at(other, 0.99))
		t.Logf("one after the other: the second takes %v longer, 99 %% at most %v", at(apart, 0.5), at(apart, 0.99))
		more = at(other, 0.99) - at(same, 0.99)
	}
	if more > mostApart {
		t.Errorf("99 %% of the pushes to another node take up to %v longer than 99 %% of those to the same node, "+
			"want at most %v", more, mostApart)
	}
}
