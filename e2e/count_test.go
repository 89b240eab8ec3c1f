package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lineman-go/lineman"
	"github.com/lineman-go/lineman/linemantest"
)

// TestListenCount is about a program whose four processes all open a second port. Only the first gets it: the others
// log the error once, and stay.
func TestListenCount(t *testing.T) {
	for name, test := range map[string]struct {
		flags  []string
		errors int
		outer  bool
		serve  []int // the ids of the processes that serve the second port
	}{
		"both ports":         {[]string{"-count", "4"}, 3, true, []int{0}},
		"no outer port":      {[]string{"-count", "4", "-no-outer"}, 3, false, []int{0}},
		"one process":        {[]string{"-count", "1"}, 0, true, []int{0}},
		"reuseport":          {[]string{"-count", "4", "-reuseport"}, 0, true, []int{0, 1, 2, 3}},
		"reuseport no outer": {[]string{"-count", "4", "-reuseport", "-no-outer"}, 0, false, []int{0, 1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			count, _ := strconv.Atoi(test.flags[1])
			outer, inner := free(t), free(t)
			i := newInstance(t, "listen", append([]string{"-text", outer, "-http", inner}, test.flags...)...)
			i.do("start", "-d")
			began := pids(i.status())
			if len(began) != count {
				t.Fatalf("%d processes", len(began))
			}
			linemantest.Until(t, "not all of them are asked", func() bool {
				if err := request(inner); err != nil {
					t.Fatal(err)
				}
				if test.outer {
					if answer, err := askLine(outer, "hi"); answer != "hello" {
						t.Fatalf("the outer port answers %q, %v", answer, err)
					}
				}
				return slices.Equal(served(i.status(), "http"), test.serve)
			})
			if n := strings.Count(i.log(), "address already in use"); n != test.errors {
				t.Errorf("the error is logged %d times, want %d", n, test.errors)
			}
			if now := pids(i.status()); !slices.Equal(now, began) {
				t.Errorf("the processes were %v, and are %v", began, now)
			}
			i.do("reload")
			if err := request(inner); err != nil {
				t.Errorf("after a reload: %v", err)
			}
			i.do("stop")
		})
	}
}

func pids(s lineman.Status) (all []int) {
	for _, p := range s.Processes {
		all = append(all, p.PID)
	}
	return all
}

// served are the ids of the processes that listen for a worker and have had a request.
func served(s lineman.Status, worker string) (ids []int) {
	for _, p := range s.Processes {
		listens := slices.ContainsFunc(p.Listeners, func(l lineman.ListenerStatus) bool { return l.Worker == worker })
		if listens && p.Requests > 0 {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
