package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lineman-go/lineman/cmd/lineman/internal/config"
	"github.com/lineman-go/lineman/push/token"
)

// fileCheck looks at the files and folders that settings name, as the server would when it starts or, like a folder for
// certificates, only when it needs them. Secrets are not among them: Load has read those.
type fileCheck struct {
	loaded *config.Loaded
	errs   []error // *config.Error
}

// checkFiles tells what is wrong with them. To the warnings it adds what others can read that they should not.
func checkFiles(l *config.Loaded) error { return errors.Join(fileProblems(l)...) }

func fileProblems(l *config.Loaded) []error {
	f := &fileCheck{loaded: l}
	f.pair("tls", l.TLS.Cert, l.TLS.Key)
	if len(l.TLS.Auto) > 0 {
		f.fail("tls.cache", f.cache(l.TLS.Cache))
	}
	if l.Redis.TLS {
		f.pair("redis", l.Redis.Cert, l.Redis.Key)
		f.fail("redis.ca", authorities(l.Redis.CA))
	}
	if l.KeepsJournal() {
		f.fail("history.journal", folderFor(l.History.Journal))
	}
	for name, h := range l.Hooks {
		if len(h.Events) > 0 {
			f.fail("hooks."+name+".dead_letters", appendable(h.DeadLetters))
		}
	}
	if !l.Dev && l.Token.HasKey() {
		for _, name := range l.Token.PublicKeys {
			f.fail("token.public_keys", publicKey(name))
		}
		f.fail("token.revocations", f.revocations(l.Token.Revocations))
	}
	return f.errs
}

// fail notes what is wrong with a setting, unless it is nil.
func (f *fileCheck) fail(key string, err error) {
	if err != nil {
		f.errs = append(f.errs, f.loaded.Locate(&config.Error{Key: key, Err: err}))
	}
}

// pair looks at a certificate and its key, by the settings cert and key of a section.
func (f *fileCheck) pair(section, certFile, keyFile string) {
	if certFile == "" || keyFile == "" {
		return
	}
	cert, err := readRegular(certFile)
	f.fail(section+".cert", err)
	key, keyErr := readRegular(keyFile)
	f.fail(section+".key", keyErr)
	if err != nil || keyErr != nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		f.fail(section+".cert", fmt.Errorf("%q, with the key %q: %w", certFile, keyFile, err))
	}
	f.guard(section+".key", keyFile)
}

// guard warns if every user of the machine can read a private key.
func (f *fileCheck) guard(key, name string) {
	const others = 0o004
	if info, err := os.Stat(name); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 {
		f.loaded.Warnings = append(f.loaded.Warnings,
			fmt.Sprintf("%s: every user of this machine can read %s: chmod o-r %[2]s", key, name))
	}
}

// readRegular reads a file of its own: a pipe could be read only once.
func readRegular(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q: %w", name, bare(err))
	case info.IsDir():
		return nil, fmt.Errorf("%q: is a folder: want a file", name)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q: is no regular file: it has to be read more than once", name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, bare(err))
	}
	return text, nil
}

// bare is an error without the name of the file or the address, which is said anyway, and without that of the system
// call.
func bare(err error) error {
	var path *fs.PathError
	var network *net.OpError
	var call *os.SyscallError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &network):
		return network.Err
	}
	return err
}

func authorities(name string) error {
	if name == "" {
		return nil
	}
	text, err := readRegular(name)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
		err = fmt.Errorf("%q: has no certificate in PEM", name)
	}
	return err
}

func publicKey(name string) error {
	text, err := readRegular(name)
	if err != nil {
		return err
	}
	v, err := token.New(token.Options{Keys: []token.Key{{PEM: text}}})
	if err != nil {
		return fmt.Errorf("%q: %s", name, strings.TrimPrefix(err.Error(), "token: "))
	}
	v.Close()
	return nil
}

// cache looks at the folder for certificates and their keys. It need not be there.
func (f *fileCheck) cache(name string) error {
	if err := folderFor(name); err != nil {
		return err
	}
	if info, err := os.Stat(name); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		f.loaded.Warnings = append(f.loaded.Warnings,
			fmt.Sprintf("tls.cache: %s is to have private keys, and others than its owner may enter it: chmod 700 "+
				"%[1]s", name))
	}
	return nil
}

// folderFor looks at a folder that is made if it is not there.
func folderFor(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writable(nearestFolder(name))
	case err != nil:
		return fmt.Errorf("%q: %w", name, bare(err))
	case !info.IsDir():
		return fmt.Errorf("%q: is a file: want a folder", name)
	}
	return writable(name)
}

// nearestFolder is the first one above a path that is there.
func nearestFolder(path string) string {
	for {
		path = filepath.Dir(path)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return path
		}
	}
}

// revocations looks at the file for them without a change to it, as a server may have it open. If it is not there, its
// folder has to be, where a compact one takes its place at each start.
func (f *fileCheck) revocations(name string) error {
	if name == "" {
		return nil
	}
	if err := token.CheckRevocations(name); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "token: revocations: ")) // as the setting says
	}
	return writable(filepath.Dir(name))
}

// appendable looks at a file that is written to without a change to it. It need not be there.
func appendable(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return writable(filepath.Dir(name))
	case err != nil:
		return fmt.Errorf("%q: %w", name, bare(err))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%q: is no regular file", name)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("%q: %w", name, bare(err))
	}
	return f.Close()
}

// writable tries whether a file can be made in a folder, by one that is removed at once.
func writable(folder string) error {
	f, err := os.CreateTemp(folder, ".lineman-check-")
	if err != nil {
		return fmt.Errorf("the folder %q: %w: want one that this user may write to", folder, bare(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
