package broker

import (
	"testing"

	"homeroom/core/broker/behaviour"
)

// TestBehaviour runs the conformance suite against the broker.
func TestBehaviour(t *testing.T) {
	store := newMemory()
	r := start(t, store)
	behaviour.Run(t, behaviour.Engine{
		Addr:   r.Addr(),
		Login:  func(string) (string, string) { return "suite", "right" },
		Denied: "secret/plans",
		Restart: func() string {
			r.stop()
			r = start(t, store)
			return r.Addr()
		},
	})
}
