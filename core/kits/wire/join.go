package wire

import (
	"context"
	"slices"
	"time"

	"homeroom/core"
)

// call sends an Improv command and calls f with what comes, until it is done or
// fails. As long as nothing at all came, the command is sent again; then the kit
// may take as long as within.
func (k *Kit) call(ctx context.Context, p improvPacket, within time.Duration, f func(improvPacket) (done bool, err error)) error {
	q, done, err := k.begin(ctx, 0)
	if err != nil {
		return err
	}
	defer done()
	packet := p.encode()
	timer := time.NewTimer(0)
	defer timer.Stop()
	<-timer.C
	heard := false
	for n := range 1 + askMore {
		if err := k.send(ctx, packet); err != nil {
			return err
		}
		wait := askAgain
		if n == askMore {
			wait = min(within, askPatient)
		}
		timer.Reset(wait)
		for again := false; !again; {
			select {
			case p := <-q.improv:
				if !heard {
					heard = true
					timer.Reset(within)
				}
				if done, err := f(p); done || err != nil {
					return err
				}
			case <-timer.C:
				if heard {
					return silent()
				}
				again = true
			case <-ctx.Done():
				return ctx.Err()
			case <-k.ended:
				return k.err
			}
		}
	}
	return silent()
}

// refusal is what an error packet of Improv says.
func refusal(p improvPacket) error {
	if p.kind != improvError || len(p.data) != 1 {
		return nil
	}
	switch p.data[0] {
	case 0:
		return nil
	case 1:
		return core.Fail(core.ErrInvalid, "The kit does not understand what it was sent. Update its firmware.")
	case 2:
		return core.Fail(ErrUnknown, "The firmware of this kit does not know that. Update it.")
	case 3:
		return core.Fail(ErrJoin, "The kit could not join the network. Look at its name and key; it must be one at 2.4 GHz.")
	}
	return nonsense()
}

// Join has the kit try a network and, where it works, keep it. It returns the page
// that the kit names, or "". It fails with ErrJoin where the kit could not join.
func (k *Kit) Join(ctx context.Context, ssid, key string) (page string, err error) {
	if err := CheckNetwork(ssid, key); err != nil {
		return "", err
	}
	err = k.call(ctx, improvCall(improvJoin, ssid, key), joinWithin, func(p improvPacket) (bool, error) {
		if p.kind != improvResult {
			return false, refusal(p)
		}
		command, words, ok := improvWords(p.data)
		if !ok || command != improvJoin {
			return false, nil
		}
		if len(words) > 0 {
			page = readable(words[0])
		}
		return true, nil
	})
	return page, err
}

// ImprovState asks how far the kit is on its way into a network.
func (k *Kit) ImprovState(ctx context.Context) (state ImprovState, err error) {
	err = k.call(ctx, improvCall(improvWhich), askAgain, func(p improvPacket) (bool, error) {
		if p.kind != improvState || len(p.data) != 1 {
			return false, refusal(p)
		}
		state = ImprovState(p.data[0])
		return true, nil
	})
	return state, err
}

// DeviceInfo asks by Improv what the kit is; other firmware that has Improv
// answers it, too.
func (k *Kit) DeviceInfo(ctx context.Context) (d Device, err error) {
	err = k.call(ctx, improvCall(improvInfo), askAgain, func(p improvPacket) (bool, error) {
		if p.kind != improvResult {
			return false, refusal(p)
		}
		command, words, ok := improvWords(p.data)
		if !ok || command != improvInfo {
			return false, nil
		}
		if d, ok = device(words); !ok {
			return false, nonsense()
		}
		return true, nil
	})
	return d, err
}

// ImprovScan is Scan by Improv, which knows no channels.
func (k *Kit) ImprovScan(ctx context.Context) ([]core.Network, error) {
	var all []core.Network
	err := k.call(ctx, improvCall(improvScan), scanAgain, func(p improvPacket) (bool, error) {
		if p.kind != improvResult {
			return false, refusal(p)
		}
		command, words, ok := improvWords(p.data)
		if !ok || command != improvScan {
			return false, nil
		}
		if len(words) == 0 {
			return true, nil
		}
		if len(words) < 3 || len(words[0]) > 32 || len(all) == 64 {
			return false, nonsense()
		}
		all = append(all, core.Network{Name: words[0], Signal: signal(words[1]), Open: words[2] == "NO"})
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return slices.Clip(strongest(all)), nil
}
