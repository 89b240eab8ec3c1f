package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

const (
	ticketPrefix = "t1." // the header of a JWT begins with a brace or a space, and in base64url with another letter
	ticketLabel  = "lineman:"
)

func isTicket(credential string) bool { return strings.HasPrefix(credential, ticketPrefix) }

// openTicket gives the claims of a ticket as they were signed.
func (v *Verifier) openTicket(credential string) ([]byte, error) {
	if _, allowed := v.allowed[Ticket]; !allowed {
		return nil, ErrAlgorithm
	}
	if strings.Count(credential, ".") != 2 {
		return nil, fmt.Errorf("%w: want the three parts of a ticket", ErrMalformed)
	}
	end := strings.LastIndexByte(credential, '.')
	signed, mac := credential[:end], credential[end+1:]
	sum, err := decodeMAC(mac)
	if err != nil {
		return nil, ErrSignature
	}
	made := func(k knownKey) bool { return k.macs != nil && k.macs[Ticket].made(sum, ticketLabel, signed) }
	if !slices.ContainsFunc(v.keys, made) {
		return nil, ErrSignature
	}
	claims, err := encoding.DecodeString(signed[len(ticketPrefix):])
	if err != nil {
		return nil, fmt.Errorf("%w: the claims of the ticket are no base64url", ErrMalformed)
	}
	return claims, nil
}

// decodeMAC is what ticketMAC has encoded: in lower case, so that a ticket has one spelling.
func decodeMAC(text string) ([]byte, error) {
	if text != strings.ToLower(text) {
		return nil, ErrSignature
	}
	return hex.DecodeString(text)
}

// ticketMAC signs what a ticket begins with.
func ticketMAC(secret []byte, signed string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(ticketLabel + signed))
	return hex.EncodeToString(h.Sum(nil))
}
