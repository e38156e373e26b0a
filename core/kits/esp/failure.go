package esp

import (
	"context"
	"errors"

	"homeroom/core"
	"homeroom/core/kits/line"
)

// Error is a failure and the step in which it happened. It wraps a *core.Problem,
// which says what to do. errors.Is finds the kind of that, and line.ErrGone,
// context.Canceled or ErrUnverified where one of them is the reason.
type Error struct {
	Step string // as in core.KitProgress
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// fail says of a failure in which step it happened and what to do.
func (c *Chip) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	step := c.step
	if cerr := ctx.Err(); cerr != nil {
		err = cerr
	}
	c.log("%s: %v", step, err)
	var told *core.Problem
	if errors.As(err, &told) {
		return &Error{step, err}
	}
	return &Error{step, &core.Problem{Sentence: say(step, err), Kind: err}}
}

// say says what a failure in a step means, and what to do.
func say(step string, err error) core.Sentence {
	var no *refusal
	var other *differs
	switch {
	case errors.Is(err, ErrUnverified):
		return core.Say("The firmware was written, but without the program that helps to flash nobody can say whether every byte is right. Look whether the board works.")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		switch step {
		case "erase", "write", "verify":
			return core.Say("It was stopped while the flash was written. The board does not start as it is: write it again.")
		}
		if step == "run" {
			return core.Say("It was stopped before the firmware started. It is written: press RST, and it starts.")
		}
		return core.Say("It was stopped. Nothing on the board has changed.")
	case errors.Is(err, line.ErrGone):
		switch step {
		case "erase", "write":
			return core.Say("The board was unplugged while its flash was written. It does not start as it is: plug it in and write it again.")
		case "verify":
			return core.Say("The board was unplugged before what was written could be verified. Plug it in and write it again.")
		case "read":
			return core.Say("The board was unplugged while its flash was read. Plug it in and read it again.")
		case "run":
			return core.Say("The board was unplugged before its firmware started. It is written: plug it in, and it starts.")
		}
		return core.Say("The board was unplugged before its boot loader was ready. Plug it in and try again.")
	case errors.As(err, &other):
		return core.Say("The flash does not hold what is written to it: {size} bytes from {at} on differ, three times in a row. The flash of this board is worn out or broken; use another board.", "size", other.size, "at", hexOf(other.at))
	case errors.Is(err, errNotStarted):
		return core.Say("The board took the program that helps to flash, but did not start it. Unplug it, plug it in again, and try once more; then try another cable and another board.")
	case errors.As(err, &no):
		switch step {
		case "erase", "write":
			return core.Say("The board says that its flash cannot be written (error {code}). Try again; if it stays so, its flash is broken.", "code", hexOf(int64(no.code)))
		}
		return core.Say("The board refuses (error {code}). Unplug it, plug it in again, and try once more.", "code", hexOf(int64(no.code)))
	}
	switch step {
	case "erase", "write":
		return core.Say("The board does not answer any more while its flash is written. It does not start as it is: use a shorter cable or another USB socket and write it again.")
	case "verify":
		return core.Say("The board does not answer any more, so nobody can say whether every byte is right. Use a shorter cable or another USB socket and write it again.")
	case "read":
		return core.Say("The board does not answer any more while its flash is read. Use a shorter cable or another USB socket and read it again.")
	case "reset", "sync":
		return core.Say("No boot loader answers. Is it the port of the board? Then hold its button FLASH, press RST, let go of FLASH, and try again.")
	}
	return core.Say("The board does not answer any more. Unplug it, plug it in again, and try once more.")
}
