package config

import (
	"strings"
	"testing"
)

// TestShare shares descriptors out, so that pages leave those that the other ports need.
func TestShare(t *testing.T) {
	type set func(c *Config)
	for name, tt := range map[string]struct {
		files   int
		set     set
		want    Shares
		warning string
		err     string
	}{
		"nobody knows": {0, func(*Config) {}, Shares{Waiting: 10_000, Spare: 64}, "", ""},
		"few":          {200, func(*Config) {}, Shares{120, 60, 12, 12, 12, 12}, "", ""},
		"some":         {1024, func(*Config) {}, Shares{736, 368, 64, 64, 64, 64}, "", ""},
		"many": {1 << 20, func(*Config) {},
			Shares{1<<20 - 32 - 20_000 - 100 - 64, 10_000, 10_000, 10_000, 100, 64}, "", ""},
		"set": {1024, func(c *Config) {
			c.Limits.Connections, c.Text.Connections, c.API.Connections, c.Admin.Connections = 100, 10, 20, 5
		}, Shares{100, 10_000, 10, 20, 5, 64}, "", ""},
		"set too high": {1024, func(c *Config) { c.Limits.Connections = 5000 }, Shares{736, 10_000, 64, 64, 64, 64},
			"limits.connections is 5000, and the limit of open files, 1024, has room for 736 pages", ""},
		"with links": {200, func(c *Config) { c.Redis.Addresses = []string{"a:1"} },
			Shares{112, 56, 12, 12, 12, 12}, "", ""},
		"none left": {200, func(c *Config) { c.Text.Connections = 200 }, Shares{}, "",
			"leaves none for pages beside text.connections 200"},
		"on several loops": {1024, func(c *Config) { c.Loops = 9 }, Shares{696, 348, 64, 64, 64, 64}, "", ""},
		"waiting free":     {0, func(c *Config) { c.Limits.Waiting = 0 }, Shares{Spare: 64}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := Default()
			c.Loops = 1
			tt.set(&c)
			got, warning, err := c.Share(tt.files)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "ulimit -n") {
					t.Errorf("the error is %v, want %s", err, tt.err)
				}
			case err != nil || got != tt.want:
				t.Errorf("%+v (%v), want %+v", got, err, tt.want)
			case (tt.warning == "") != (warning == "") || !strings.Contains(warning, tt.warning):
				t.Errorf("the warning is %q, want %q", warning, tt.warning)
			}
		})
	}
}

// TestFilesForPages says how many descriptors so many pages need: those have room then, and with one less they have
// not.
func TestFilesForPages(t *testing.T) {
	c := Default()
	for _, pages := range []int{1, 120, 1000, 10_000, 100_000, 1_000_000} {
		files := c.Files(pages)
		if enough, _, err := c.Share(files); err != nil || enough.Pages < pages {
			t.Errorf("%d descriptors have room for %d pages (%v), want %d", files, enough.Pages, err, pages)
		}
		if less, _, err := c.Share(files - 1); err == nil && less.Pages > pages {
			t.Errorf("%d descriptors would do for %d pages", files-1, pages)
		}
	}
}
