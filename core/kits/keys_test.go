package kits

import (
	"errors"
	"testing"

	"github.com/zalando/go-keyring"
)

const testPMK = "0c0b4bbd2a9f3bb22c2b7a0b2f0bd1ce3b1a9f3bb22c2b7a0b2f0bd1ce3b1a9f"

// TestKeyring: a key that is remembered is there for the next program, one that is
// forgotten is not; without a keyring it lasts as long as the program.
func TestKeyring(t *testing.T) {
	keyring.MockInit()
	Keyring().Set("class", testPMK)
	again := Keyring()
	if got := again.Get("class"); got != testPMK {
		t.Errorf("the next program has %q", got)
	}
	if got := again.Get("other"); got != "" {
		t.Errorf("a network that is not known has %q", got)
	}
	again.Delete("class")
	if got := Keyring().Get("class"); got != "" {
		t.Errorf("after it was forgotten: %q", got)
	}
	if err := keyring.Set(keyringService, "class", "short"); err != nil {
		t.Fatal(err)
	}
	if got := Keyring().Get("class"); got != "" {
		t.Errorf("what is no key was taken: %q", got)
	}

	keyring.MockInitWithError(errors.New("no keyring here"))
	alone := Keyring()
	alone.Set("class", testPMK)
	if got := alone.Get("class"); got != testPMK {
		t.Errorf("without a keyring: %q", got)
	}
	if got := Keyring().Get("class"); got != "" {
		t.Errorf("without a keyring the next program has %q", got)
	}
}
