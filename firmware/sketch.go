package firmware

import (
	"embed"
	"io/fs"
)

//go:embed kit
var sketch embed.FS

// Sketch is the folder kit: the Arduino sketch of the Wi-Fi kit, so that a program
// can build it where arduino-cli is.
var Sketch, _ = fs.Sub(sketch, "kit") // the name is right
