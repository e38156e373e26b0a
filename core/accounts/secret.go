package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"homeroom/core"
)

// Strength is how hard it is to guess a password from its hash.
type Strength int

// The strengths of a hash.
const (
	Strong   Strength = iota // argon2id, 19 MiB, two passes: about 50 ms
	ForTests                 // argon2id, 8 KiB, one pass: nothing is safe with it
)

// Bounds of a password.
const (
	MinPassword = 8   // characters
	maxPassword = 256 // bytes
)

// cost is what argon2id takes: KiB of memory, and passes over it.
type cost struct{ memory, passes uint32 }

func (s Strength) cost() cost {
	if s == ForTests {
		return cost{memory: 8, passes: 1}
	}
	return cost{memory: 19 << 10, passes: 2}
}

var b64 = base64.RawStdEncoding

const (
	argonFormat = "$argon2id$v=19$m=%d,t=%d,p=1$" // then salt, "$" and key in base64 (PHC string format)
	hmacPrefix  = "$hmac-sha256$"                 // then the HMAC in base64
)

// hash returns the argon2id hash of a password with its parameters.
func (s Strength) hash(password string) string {
	salt := make([]byte, 16)
	rand.Read(salt) // never fails
	c := s.cost()
	key := argon2.IDKey([]byte(password), salt, c.passes, c.memory, 1, 32)
	return fmt.Sprintf(argonFormat, c.memory, c.passes) + b64.EncodeToString(salt) + "$" + b64.EncodeToString(key)
}

// verifyPassword reports whether hash is that of password.
func verifyPassword(hash, password string) bool {
	parts := strings.Split(hash, "$") // "", argon2id, v, parameters, salt, key
	if len(parts) != 6 {
		return false
	}
	var c cost
	if _, err := fmt.Sscanf(strings.Join(parts[:4], "$")+"$", argonFormat, &c.memory, &c.passes); err != nil {
		return false
	}
	salt, err1 := b64.DecodeString(parts[4])
	key, err2 := b64.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(key) < 16 || c.passes < 1 || c.passes > 16 || c.memory > 1<<20 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, c.passes, c.memory, 1, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1
}

// slot waits for one of the two places in which a password is hashed: a third
// would only make the others slower, and each takes 19 MiB.
func (s *Service) slot(ctx context.Context) (release func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("accounts: wait to check a password: %w", ctx.Err())
	}
}

// newPassword checks a password that a person chose and returns its hash.
func (s *Service) newPassword(ctx context.Context, password string) (hash string, err error) {
	switch {
	case !utf8.ValidString(password):
		return "", core.Fail(core.ErrInvalid, "The password has characters that cannot be read. Type it again.")
	case utf8.RuneCountInString(password) < MinPassword:
		return "", core.Fail(core.ErrInvalid, "A password needs {n} characters or more. Add a word.", "n", MinPassword)
	case len(password) > maxPassword:
		return "", core.Fail(core.ErrInvalid, "The password is too long. Use a shorter one.")
	}
	release, err := s.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	return s.cfg.Strength.hash(password), nil
}

// alphabet is Crockford's: no i, l, o or u, so nothing looks like 1 or 0.
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// randomSecret returns 128 random bits as 26 characters.
func randomSecret() string {
	b := make([]byte, 16)
	rand.Read(b)
	return alphabet.EncodeToString(b)
}

// randomCode returns 40 random bits as 8 characters.
func randomCode() string { return randomSecret()[:8] }

// canonical forgives what people do to a random secret when they copy it.
func canonical(secret string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '-', ' ':
			return -1
		case 'o', 'O':
			return '0'
		case 'i', 'I', 'l', 'L':
			return '1'
		}
		return unicode.ToLower(r)
	}, secret)
}

// sum returns the HMAC of a random secret. Such a secret cannot be guessed, so
// a slow hash would only slow down a class whose kits all come back at once.
func (s *Service) sum(secret string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(canonical(secret)))
	return hmacPrefix + b64.EncodeToString(mac.Sum(nil))
}

func isSum(hash string) bool { return strings.HasPrefix(hash, hmacPrefix) }
