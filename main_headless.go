//go:build headless

package main

import (
	"context"

	"homeroom/ui"
)

func (p *program) show(ctx context.Context) error { return ui.Run(ctx, ui.Parts{}) }
