package config

import (
	"strings"
	"testing"
)

// TestPasswordHash has a hash be of its password alone, and never of anything if it is none.
func TestPasswordHash(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	hash, err := HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := HashPassword(password); err != nil || again == hash {
		t.Errorf("two hashes of a password are the same: %s, %v", again, err)
	}
	if err := checkHash(hash); err != nil {
		t.Error(err)
	}
	if !IsPassword(hash, password) {
		t.Error("it is not the password's own")
	}
	for _, wrong := range []string{"", password + " ", strings.ToUpper(password), hash} {
		if IsPassword(hash, wrong) {
			t.Errorf("%q is taken for the password", wrong)
		}
	}
	for _, wrong := range []string{
		password, hash[:len(hash)-1], hash + "x", "$" + hash, strings.Replace(hash, "600000", "1", 1),
		strings.Replace(hash, "600000", "99999999999", 1), strings.Replace(hash, hashScheme, "bcrypt", 1),
		"$pbkdf2-sha256$600000$$", "$2y$10$abcdefghijklmnopqrstuv",
	} {
		err := checkHash(wrong)
		if err == nil || IsPassword(wrong, password) {
			t.Errorf("%q is taken for a hash", wrong)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("an error tells what was written: %v", err)
		}
	}
	if _, err := HashPassword("elevenchars"); err == nil {
		t.Error("a short password is hashed")
	}
	if checkHash("") != nil || IsPassword("", "") {
		t.Error("none is a hash")
	}
}
