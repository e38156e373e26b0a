//go:build !linux

package chip

import (
	"context"
	"errors"
)

// PTY needs Linux.
func (c *Chip) PTY(context.Context) (name string, err error) {
	return "", errors.New("an emulated chip can only be on a terminal under Linux")
}
