package wire

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // IEEE 802.11 asks for it
	"encoding/hex"

	"homeroom/core"
)

// PMK returns the key that WPA2 makes of a network's name and passphrase (IEEE
// 802.11-2020, J.4), as 64 hex digits. A kit that has it needs no second to make it.
func PMK(ssid, passphrase string) string {
	key, err := pbkdf2.Key(sha1.New, passphrase, []byte(ssid), 4096, 32)
	if err != nil { // only of a key length that is too large
		return ""
	}
	return hex.EncodeToString(key)
}

// CheckNetwork says why a kit could not join a network of that name with that key.
func CheckNetwork(name, key string) error {
	switch {
	case name == "":
		return core.Fail(core.ErrInvalid, "Choose the Wi-Fi network that the kit joins, or the cable.")
	case len(name) > 32:
		return core.Fail(core.ErrInvalid, "The name of a Wi-Fi network has at most 32 bytes. Look for the right one in the list.")
	case key == "" || validKey(key):
		return nil
	case len(key) == 64:
		return core.Fail(core.ErrInvalid, "A Wi-Fi key of 64 characters has only the digits 0 to 9 and the letters a to f.")
	}
	return core.Fail(core.ErrInvalid, "A Wi-Fi key has 8 to 63 characters. Look at the access point, or ask who looks after the network.")
}
