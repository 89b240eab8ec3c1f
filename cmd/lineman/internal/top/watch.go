package top

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"
)

// Every is how often a View is shown.
const Every = time.Second

// Watch shows Views until ctx ends, or next or show fails.
func Watch(ctx context.Context, next func() (*View, error), show func(*View) error) error {
	t := time.NewTicker(Every)
	defer t.Stop()
	for {
		v, err := next()
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = show(v)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// JSON shows a View as an object, on a line.
func JSON(to io.Writer) func(*View) error {
	out := json.NewEncoder(to)
	return func(v *View) error { return out.Encode(v) }
}

// Text shows a View as text, for what is no terminal.
func Text(to io.Writer, s Screen) func(*View) error {
	return func(v *View) error {
		_, err := io.WriteString(to, strings.Join(s.Draw(v), "\n")+"\n")
		return err
	}
}

// What a terminal obeys.
const (
	enter    = "\x1b[?1049h\x1b[?25l" // another screen, without a cursor
	leave    = "\x1b[?25h\x1b[?1049l"
	home     = "\x1b[H"
	restLine = "\x1b[K" // is cleared
	restAll  = "\x1b[J" // likewise
)

// Live shows Views in place of each other, on a terminal, until end is called. size tells how large that is now.
func Live(to io.Writer, colour bool, size func() (width, height int)) (show func(*View) error, end func()) {
	_, _ = io.WriteString(to, enter)
	show = func(v *View) error {
		out := bufio.NewWriter(to) // at once, so that nothing flickers
		_, _ = out.WriteString(home)
		width, height := size()
		for _, l := range append(Screen{width, height - 1, colour}.Draw(v), "q ends") {
			_, _ = out.WriteString(l + restLine + "\r\n")
		}
		_, _ = out.WriteString(restAll)
		return out.Flush()
	}
	return show, func() { _, _ = io.WriteString(to, leave) }
}

// Quit calls end when q is pressed, and returns when nothing can be read any more.
func Quit(keys io.Reader, end func()) {
	key := make([]byte, 1)
	for {
		if _, err := keys.Read(key); err != nil {
			return
		}
		if key[0] == 'q' || key[0] == 'Q' {
			end()
		}
	}
}
