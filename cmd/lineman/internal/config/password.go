package config

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A password hash is a text, $pbkdf2-sha256$ROUNDS$SALT$HASH, both in base64 without padding: PBKDF2 with HMAC-SHA256
// (RFC 8018), which the standard library has.

const (
	hashRounds  = 600_000 // as OWASP has it: a tenth of a second of a processor, and one try after another
	leastRounds = 100_000
	mostRounds  = 10_000_000 // more would hold a processor for seconds
	saltBytes   = 16
	hashScheme  = "pbkdf2-sha256"
)

// LeastPassword is how many characters a password has at the least.
const LeastPassword = 12

// HashPassword is the hash of a password, as settings have it.
func HashPassword(password string) (string, error) {
	if len([]rune(password)) < LeastPassword {
		return "", fmt.Errorf("config: a password of less than %d characters can be guessed", LeastPassword)
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // it never fails
	hash, err := pbkdf2.Key(sha256.New, password, salt, hashRounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("config: a password cannot be hashed: %w", err)
	}
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$%s$%d$%s$%s", hashScheme, hashRounds, text(salt), text(hash)), nil
}

// IsPassword reports whether a hash is that of a password. It takes a tenth of a second, and as long for a wrong one.
func IsPassword(hash, password string) bool {
	rounds, salt, want, err := parseHash(hash)
	if err != nil {
		return false
	}
	got, err := pbkdf2.Key(sha256.New, password, salt, rounds, len(want))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1
}

// checkHash wants a password hash, or nothing. Its errors have nothing of it: it may be the password itself.
func checkHash(text string) error {
	if text == "" {
		return nil
	}
	_, _, _, err := parseHash(text)
	return err
}

func parseHash(text string) (rounds int, salt, hash []byte, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != hashScheme {
		return 0, nil, nil, errors.New("is no password hash: want what lineman password prints")
	}
	rounds, err = strconv.Atoi(parts[2])
	if err != nil || rounds < leastRounds || rounds > mostRounds {
		return 0, nil, nil, fmt.Errorf("has wrong rounds: want %d to %d", leastRounds, mostRounds)
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(parts[3])
	hash, errHash := base64.RawStdEncoding.DecodeString(parts[4])
	if errSalt != nil || errHash != nil || len(salt) < saltBytes/2 || len(hash) != sha256.Size {
		return 0, nil, nil, errors.New("is cut, or changed: want what lineman password prints, whole")
	}
	return rounds, salt, hash, nil
}
