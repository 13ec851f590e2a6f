package page

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
)

// newToken returns 128 random bits, in letters that stand in an address as they are.
func newToken() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails (crypto/rand, since Go 1.24)
	return base64.RawURLEncoding.EncodeToString(b)
}

// sameToken compares in a time that does not depend on where the two differ.
func sameToken(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
