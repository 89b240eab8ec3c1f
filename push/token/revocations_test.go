package token_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lineman-go/lineman/push/token"
)

func open(t testing.TB, name string) *token.Revocations {
	t.Helper()
	r, err := token.OpenRevocations(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // it may be closed
	return r
}

func revoke(t testing.TB, r *token.Revocations, uid string, at time.Time) {
	t.Helper()
	if err := r.Revoke(uid, at); err != nil {
		t.Fatal(err)
	}
}

// TestRevocations refuses what was issued up to an instant, in memory and in a file, and after a restart.
func TestRevocations(t *testing.T) {
	name := filepath.Join(t.TempDir(), "revoked")
	for _, r := range []*token.Revocations{{}, open(t, ""), open(t, name)} {
		revoke(t, r, "7", now.Add(900*time.Millisecond))
		revoke(t, r, "ümläut \"8\"", now)
		revoke(t, r, "7", now.Add(-time.Hour)) // an earlier one takes nothing back
		wantRevoked(t, r)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	wantRevoked(t, open(t, name))
}

func wantRevoked(t *testing.T, r *token.Revocations) {
	t.Helper()
	for _, c := range []struct {
		uid    string
		issued time.Time
		want   bool
	}{
		{"7", now.Add(-time.Hour), true},
		{"7", now, true},
		{"7", now.Add(999 * time.Millisecond), true}, // in the same second, though later
		{"7", now.Add(time.Second), false},
		{"7", time.Time{}, true},
		{"ümläut \"8\"", now, true},
		{"8", now, false},
		{"8", time.Time{}, false},
	} {
		if got := r.Revoked(c.uid, c.issued); got != c.want {
			t.Errorf("%s issued %v: %v, want %v", c.uid, c.issued, got, c.want)
		}
	}
}

// TestVerifyRevoked has a Verifier ask.
func TestVerifyRevoked(t *testing.T) {
	r := &token.Revocations{}
	v := verifier(t, token.Options{Keys: []token.Key{{Secret: secret}}, Revocations: r})
	for _, kind := range []string{"", token.Ticket} {
		s := signer(t, token.Key{Secret: secret}, kind)
		uid := "uid" + kind
		before, without := sign(t, s, token.Claims{UID: uid, Issued: now}), sign(t, s, token.Claims{UID: uid})
		check(t, v, "before", before, nil)
		check(t, v, "without iat", without, nil)
		revoke(t, r, uid, now)
		check(t, v, "revoked", before, token.ErrRevoked)
		check(t, v, "revoked, without iat", without, token.ErrRevoked)
		check(t, v, "a later one", sign(t, s, token.Claims{UID: uid, Issued: now.Add(time.Second)}), nil)
		check(t, v, "another uid", sign(t, s, token.Claims{UID: "another", Issued: now}), nil)
	}
}

// TestRevokeBad changes nothing.
func TestRevokeBad(t *testing.T) {
	name := filepath.Join(t.TempDir(), "revoked")
	r := open(t, name)
	for _, c := range []struct {
		uid string
		at  time.Time
	}{
		{"", now}, {"a\nb", now}, {"\xff", now}, {strings.Repeat("x", 256), now}, {"7", time.Time{}},
		{"7", time.Unix(-1, 0)}, {"7", time.Unix(1<<40, 0)},
	} {
		if err := r.Revoke(c.uid, c.at); err == nil {
			t.Errorf("%q at %v is revoked", c.uid, c.at)
		}
	}
	if text, err := os.ReadFile(name); err != nil || len(text) > 0 {
		t.Errorf("the file has %q, %v", text, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Revoke("7", now); err == nil || r.Revoked("7", now) {
		t.Error("closed, and yet revoked:", err)
	}
}

// TestJournalTorn opens a file that was cut at every byte: whole lines hold, and more can be written.
func TestJournalTorn(t *testing.T) {
	const text = `{"uid":"7","at":1795400000}` + "\n" + `{"uid":"\u0038","at":1795400001}` + "\n"
	first := strings.Index(text, "\n") + 1
	for cut := range len(text) + 1 {
		name := filepath.Join(t.TempDir(), "revoked")
		if err := os.WriteFile(name, []byte(text[:cut]), 0o644); err != nil {
			t.Fatal(err)
		}
		r := open(t, name)
		if r.Revoked("7", now) != (cut >= first) || r.Revoked("8", now) != (cut == len(text)) {
			t.Errorf("cut at %d: 7 %v, 8 %v", cut, r.Revoked("7", now), r.Revoked("8", now))
		}
		revoke(t, r, "9", now)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		again := open(t, name)
		if !again.Revoked("9", now) || again.Revoked("7", now) != (cut >= first) {
			t.Errorf("cut at %d: what was revoked afterwards is lost", cut)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJournalCompact drops what is outdated when it opens a file, and has only the owner read it.
func TestJournalCompact(t *testing.T) {
	name := filepath.Join(t.TempDir(), "revoked")
	r := open(t, name)
	for i := range 100 {
		revoke(t, r, fmt.Sprint("uid", i%3), now.Add(time.Duration(i)*time.Second))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	r = open(t, name)
	for i := range 3 {
		if uid := fmt.Sprint("uid", i); !r.Revoked(uid, now.Add(time.Duration(97+(i+2)%3)*time.Second)) ||
			r.Revoked(uid, now.Add(100*time.Second)) {
			t.Errorf("%s: another instant", uid)
		}
	}
	text, err := os.ReadFile(name)
	if err != nil || strings.Count(string(text), "\n") != 3 {
		t.Errorf("%q, %v", text, err)
	}
	info, err := os.Stat(name)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(name)); len(entries) != 1 {
		t.Errorf("%v was left behind", entries)
	}
}

// TestJournalBad does not open what it would not keep.
func TestJournalBad(t *testing.T) {
	folder := t.TempDir()
	for i, text := range []string{
		"\n", "x\n", `{"uid":"7"}` + "\n", `{"at":1}` + "\n", `{"uid":"","at":1}` + "\n", `{"uid":"7","at":"1"}` + "\n",
		`{"uid":"7","uid":"8","at":1}` + "\n", `{"uid":"7","at":-1}` + "\n", `{"uid":"7","at":1}{}` + "\n",
		"\x00\x00\x00\n",
	} {
		name := filepath.Join(folder, fmt.Sprint(i))
		if err := os.WriteFile(name, []byte(`{"uid":"1","at":1}`+"\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := token.OpenRevocations(name); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", text, err)
		}
		if after, err := os.ReadFile(name); err != nil || !strings.HasSuffix(string(after), text) {
			t.Errorf("%q became %q, %v", text, after, err)
		}
	}
	for _, name := range []string{folder, filepath.Join(folder, "no", "such", "folder")} {
		if _, err := token.OpenRevocations(name); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
}

// TestJournalFull fills the disk: nothing is pretended, what was revoked stays, and all is well when there is room
// again.
func TestJournalFull(t *testing.T) {
	for _, c := range []token.FailingFile{
		{WriteError: syscall.ENOSPC},
		{SyncError: syscall.ENOSPC},
		{WriteError: syscall.ENOSPC, TruncateError: syscall.EIO},
	} {
		name := filepath.Join(t.TempDir(), "revoked")
		r := open(t, name)
		revoke(t, r, "7", now)
		disk := r.Fail()
		disk.WriteError, disk.SyncError, disk.TruncateError = c.WriteError, c.SyncError, c.TruncateError
		for range 3 {
			if err := r.Revoke("a longer uid", now); !errors.Is(err, syscall.ENOSPC) &&
				!errors.Is(err, c.TruncateError) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		if !r.Revoked("7", now) || r.Revoked("a longer uid", now) {
			t.Errorf("%+v: another state than before", c)
		}
		disk.WriteError, disk.SyncError, disk.TruncateError = nil, nil, nil
		revoke(t, r, "8", now)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if again := open(t, name); !again.Revoked("7", now) || !again.Revoked("8", now) ||
			again.Revoked("a longer uid", now) {
			t.Errorf("%+v: another state after a restart", c)
		}
	}
}

// TestRevocationsTogether revokes and asks on many goroutines; the file has all.
func TestRevocationsTogether(t *testing.T) {
	name := filepath.Join(t.TempDir(), "revoked")
	r := open(t, name)
	var all sync.WaitGroup
	for i := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := range 10 {
				uid := fmt.Sprint(i, "-", j)
				if err := r.Revoke(uid, now); err != nil || !r.Revoked(uid, now) {
					t.Error(uid, err)
				}
			}
		}()
	}
	all.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, name)
	for i := range 8 {
		for j := range 10 {
			if uid := fmt.Sprint(i, "-", j); !again.Revoked(uid, now) {
				t.Errorf("%s is lost", uid)
			}
		}
	}
}

// TestJournalKept goes on with a file that cannot be written anew, as on a full disk: all of it was read.
func TestJournalKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "revoked")
	text := `{"uid":"7","at":1}` + "\n" + `{"uid":"7","at":1795400000}` + "\n" + `{"uid":"8","a`
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(name+".new", "in the way"), 0o700); err != nil { // of the new file
		t.Fatal(err)
	}
	for range 2 {
		r := open(t, name)
		revoke(t, r, "9", now)
		if !r.Revoked("7", now) || r.Revoked("8", now) || !r.Revoked("9", now) {
			t.Error("another state")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(name + ".new"); err != nil {
		t.Fatal(err)
	}
	if r := open(t, name); len(r.All()) != 2 || !r.Revoked("9", now) {
		t.Errorf("it has %v", r.All())
	}
}
