package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lineman-go/lineman/push"
	"github.com/lineman-go/lineman/push/events"
)

// TestSender has what comes while a request is under way be the next one, and each connection be of one lane.
func TestSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, SenderOptions{Parallel: 2, Batch: 3}, func(int) (Answer, error) {
			time.Sleep(time.Second)
			return good, nil
		})
		var settled []chan error
		for i := range 6 {
			settled = append(settled, a.say(1, i))
			synctest.Wait() // the first has gone by itself
		}
		other := a.say(2, 100)
		synctest.Wait()
		if len(a.asked) != 2 || a.Stats().UnderWay != 2 {
			t.Errorf("under way are %v, %+v", a.asked, a.Stats())
		}
		for _, done := range append(settled, other) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(a.began); took != 3*time.Second {
			t.Errorf("it took %v", took)
		}
		if s := a.Stats(); s.Taken != 7 || s.UnderWay != 0 || s.Retries != 0 || s.DeadLetters != 0 {
			t.Errorf("%+v", s)
		}
		if letters := a.end(0); len(letters) > 0 || a.log.Len() > 0 {
			t.Errorf("dead letters: %s, log: %s", letters, a.log.String())
		}
	})
}

// TestRetry has requests be made again, later each time, and be given up after a time: then the events are dead
// letters.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t, SenderOptions{Parallel: 1, Retry: 20 * time.Second}, func(n int) (Answer, error) {
			switch n {
			case 2:
				return Answer{Status: http.StatusTooManyRequests, RetryAfter: 5 * time.Second}, nil
			case 3:
				return Answer{}, errors.New("connection refused")
			}
			return broken, nil
		})
		if err := <-a.say(1, 7); !errors.Is(err, events.ErrFailed) {
			t.Error(err)
		}
		if took := time.Since(a.began); took != 20*time.Second {
			t.Errorf("it was given up after %v", took)
		}
		for i, asked := range a.asked {
			if len(asked) != 1 || asked[0].Data != 7 || asked[0].Again != (i > 0) {
				t.Errorf("request %d has %+v", i+1, asked)
			}
			wait := a.at[i] - a.at[max(i-1, 0)]
			switch {
			case i == 1 && (wait < firstBackOff/2 || wait > firstBackOff):
				t.Errorf("it was made again after %v", wait)
			case i == 2 && wait < 5*time.Second:
				t.Errorf("Retry-After has no effect: %v", wait)
			}
		}
		if n := len(a.asked); n < 6 || n > 12 || a.Stats().Retries != uint64(n-1) {
			t.Errorf("%d requests at %v, %+v", n, a.at, a.Stats())
		}
		letters := a.end(0)
		if len(letters) != 1 || !strings.Contains(letters[0], `"hook":"app","time":`) ||
			!strings.Contains(letters[0], `"why":"the answer is 500 Internal Server Error","event":{"type":"message"`) {
			t.Errorf("dead letters: %s", letters)
		}
		if !strings.Contains(a.log.String(), "a hook has not taken events") {
			t.Errorf("the log is %s", a.log.String())
		}
	})
}

// TestRefused has events that the hook does not want be dead letters at once, and those behind them go on.
func TestRefused(t *testing.T) {
	for _, status := range []int{301, 307, 400, 404, 413} {
		synctest.Test(t, func(t *testing.T) {
			a := newApp(t, SenderOptions{Parallel: 1, Batch: 1}, func(n int) (Answer, error) {
				if n == 1 {
					return Answer{Status: status}, nil
				}
				return good, nil
			})
			first, second := a.say(1, 1), a.say(1, 2)
			if err := <-first; !errors.Is(err, events.ErrFailed) {
				t.Error(err)
			}
			if err := <-second; err != nil || len(a.asked) != 2 {
				t.Errorf("%v after %d requests", err, len(a.asked))
			}
			if s := a.Stats(); s.DeadLetters != 1 || s.Taken != 1 || s.Retries != 0 || s.Open {
				t.Errorf("%+v", s)
			}
			if letters := a.end(0); len(letters) != 1 || !strings.Contains(letters[0], fmt.Sprint(status)) {
				t.Errorf("dead letters: %s", letters)
			}
		})
	}
}

// TestSenderOrder has a hook that fails in every way get all events, those of a connection in order, and doubles
// marked.
func TestSenderOrder(t *testing.T) {
	const conns, each = 20, 50
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var mu sync.Mutex
			draw := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
			var taken [][]told
			var a *app
			a = newApp(t, SenderOptions{Parallel: 4, Batch: 7, Retry: time.Hour}, func(n int) (Answer, error) {
				a.mu.Lock()
				mine := a.asked[n-1]
				a.mu.Unlock()
				time.Sleep(time.Duration(draw(1000)) * time.Millisecond)
				what := draw(6)
				if what > 1 { // it has handled them, whatever we hear of that
					a.mu.Lock()
					taken = append(taken, mine)
					a.mu.Unlock()
				}
				switch what {
				case 0, 2:
					return broken, nil
				case 1, 3:
					return Answer{}, context.DeadlineExceeded
				}
				return good, nil
			})
			var settled []chan error
			for i := range each {
				for c := range conns {
					settled = append(settled, a.say(c, i))
				}
				time.Sleep(time.Duration(draw(200)) * time.Millisecond)
			}
			for _, done := range settled {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			handled := map[push.Target]int{}
			for _, batch := range taken {
				for _, e := range batch {
					switch next := handled[e.Conn]; {
					case e.Data == next:
						handled[e.Conn]++
					case e.Data > next:
						t.Errorf("%s: %d comes before %d", e.Conn, e.Data, next)
					case !e.Again:
						t.Errorf("%s: %d comes twice, and is not marked", e.Conn, e.Data)
					}
				}
			}
			for c, n := range handled {
				if n != each {
					t.Errorf("%s: %d of %d have come", c, n, each)
				}
			}
			if letters := a.end(0); len(letters) > 0 || len(handled) != conns {
				t.Errorf("%d connections, dead letters: %s", len(handled), letters)
			}
		})
	}
}

// TestAway has a hook that does not answer be asked by one lane at a time, seldom, and by all when it is back.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := true
		a := newApp(t, SenderOptions{Parallel: 8, Retry: time.Hour}, nil)
		a.answer = func(int) (Answer, error) {
			time.Sleep(time.Millisecond)
			a.mu.Lock()
			defer a.mu.Unlock()
			if away {
				return Answer{}, errors.New("connection refused")
			}
			return good, nil
		}
		var settled []chan error
		for c := range 8 {
			settled = append(settled, a.say(c, 1))
		}
		time.Sleep(10 * time.Minute)
		a.mu.Lock()
		n := len(a.asked)
		away = false
		a.mu.Unlock()
		if n < 20 || n > 60 || !a.Stats().Open {
			t.Errorf("it was asked %d times in 10 minutes, %+v", n, a.Stats())
		}
		for _, done := range settled {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(a.began); took > 12*time.Minute || a.Stats().Open {
			t.Errorf("it was back after %v, %+v", took, a.Stats())
		}
		for _, line := range []string{"a hook is away: events wait", "connection refused", "a hook is back"} {
			if strings.Count(a.log.String(), line) != 1 {
				t.Errorf("%q is not once in the log:\n%s", line, a.log.String())
			}
		}
		a.end(0)
	})
}

// TestFullDisk has events be kept while neither the hook nor the disk takes them, and who waits be told of what is
// lost.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir() // is no file
		o := SenderOptions{Parallel: 1, Batch: 1, Retry: time.Minute, DeadLetters: NewDeadLetters(folder)}
		answer, status := broken, sync.Mutex{}
		a := newApp(t, o, func(int) (Answer, error) { status.Lock(); defer status.Unlock(); return answer, nil })
		become := func(to Answer) { status.Lock(); answer = to; status.Unlock() }
		kept := a.say(1, 1)
		time.Sleep(10 * time.Minute)
		if s := a.Stats(); len(kept) > 0 || s.Lost != 0 || s.UnderWay != 1 {
			t.Errorf("%+v", s)
		}
		become(good)
		if err := <-kept; err != nil {
			t.Error(err)
		}
		become(Answer{Status: 404})
		if err := <-a.say(1, 2); !errors.Is(err, events.ErrFailed) {
			t.Error(err)
		}
		if s := a.Stats(); s.Lost != 1 || s.Taken != 1 || s.DeadLetters != 0 {
			t.Errorf("%+v", s)
		}
		for _, line := range []string{"dead letters of a hook cannot be written", "events of a hook are lost"} {
			if !strings.Contains(a.log.String(), line) {
				t.Errorf("%q is not in the log:\n%s", line, a.log.String())
			}
		}
		become(broken)
		last := a.say(1, 3)
		a.run(func() { a.Stop(t.Context()) })
		if err := <-last; !errors.Is(err, events.ErrFailed) || a.Stats().Lost != 2 {
			t.Errorf("%v, %+v", err, a.Stats())
		}
	})
}

// TestStop has what is under way be finished in time, what waits be posted once, and the rest be a dead letter.
func TestStop(t *testing.T) {
	for _, c := range []struct {
		name    string
		takes   time.Duration // each request
		answer  Answer
		grace   time.Duration
		letters int
	}{
		{"in time", 100 * time.Millisecond, good, time.Second, 0},
		{"away", 100 * time.Millisecond, broken, time.Second, 35},
		{"slow", 400 * time.Millisecond, good, time.Second, 24},
		{"too slow", time.Hour, good, time.Second, 35},
		{"no time", 100 * time.Millisecond, good, 0, 35},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newApp(t, SenderOptions{Parallel: 1, Batch: 10}, nil)
				a.answer = func(int) (Answer, error) {
					select {
					case <-time.After(c.takes):
						return c.answer, nil
					case <-a.posting.Done():
						return Answer{}, a.posting.Err()
					}
				}
				var settled []chan error
				for i := range 35 { // requests of 1, 10, 10, 10 and 4
					settled = append(settled, a.say(1, i))
					synctest.Wait()
				}
				began := time.Now()
				letters := a.end(c.grace)
				if took := time.Since(began); took > c.grace+c.takes && took > c.grace {
					t.Errorf("it took %v", took)
				}
				failed := 0
				for _, done := range settled {
					if <-done != nil {
						failed++
					}
				}
				if failed != c.letters || len(letters) != c.letters {
					t.Errorf("%d have failed, %d dead letters, want %d", failed, len(letters), c.letters)
				}
				for _, line := range letters {
					if !json.Valid([]byte(line)) {
						t.Errorf("the dead letter %s", line)
					}
				}
				if s := a.Stats(); s.Lost != 0 || s.UnderWay != 0 || s.DeadLetters != uint64(c.letters) {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}
