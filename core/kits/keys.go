package kits

import (
	"errors"
	"sync"
	"time"

	"github.com/zalando/go-keyring"

	"homeroom/core/kits/wire"
)

// Keys remembers the keys of networks, as PMK only.
type Keys interface {
	// Get returns "" where none is remembered.
	Get(network string) string
	// Set reports whether the key is there for the next program, too.
	Set(network, pmk string) (kept bool)
	Delete(network string)
}

const (
	keyringService = "Homeroom Wi-Fi" // as a person finds it in the keyring
	keyringWait    = 5 * time.Second  // a keyring may ask a person to unlock it
)

// errSlow means that the keyring waits for somebody who is not there.
var errSlow = errors.New("the keyring does not answer")

// keyrings is Keys in the keyring of the system. Where there is none, or it does
// not answer, keys last until the program ends.
type keyrings struct {
	mu     sync.Mutex
	memory map[string]string // guarded by mu; by network
	broken bool              // guarded by mu; it failed, or has not answered yet, and is not asked
}

// Keyring returns the keyring of the system.
func Keyring() Keys { return &keyrings{memory: map[string]string{}} }

// ask runs f, but not for long.
func (k *keyrings) ask(f func() (string, error)) (string, error) {
	k.mu.Lock()
	broken := k.broken
	k.mu.Unlock()
	if broken {
		return "", errSlow
	}
	type answer struct {
		s   string
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		s, err := f()
		k.hear(err)
		answers <- answer{s, err}
	}()
	late := time.NewTimer(keyringWait)
	defer late.Stop()
	select {
	case a := <-answers:
		return a.s, a.err
	case <-late.C:
		k.hear(errSlow)
		return "", errSlow
	}
}

// hear takes in whether the keyring answered. One that does so late, once a person has
// unlocked it, is asked again.
func (k *keyrings) hear(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = err != nil && !errors.Is(err, keyring.ErrNotFound)
}

func (k *keyrings) Get(network string) string {
	k.mu.Lock()
	pmk, ok := k.memory[network]
	k.mu.Unlock()
	if ok {
		return pmk
	}
	pmk, err := k.ask(func() (string, error) { return keyring.Get(keyringService, network) })
	if err != nil || wire.CheckNetwork(network, pmk) != nil {
		return ""
	}
	k.keep(network, pmk)
	return pmk
}

func (k *keyrings) keep(network, pmk string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory[network] = pmk
}

func (k *keyrings) Set(network, pmk string) (kept bool) {
	k.keep(network, pmk)
	_, err := k.ask(func() (string, error) { return "", keyring.Set(keyringService, network, pmk) })
	return err == nil
}

func (k *keyrings) Delete(network string) {
	k.mu.Lock()
	delete(k.memory, network)
	k.mu.Unlock()
	_, _ = k.ask(func() (string, error) { return "", keyring.Delete(keyringService, network) })
}
