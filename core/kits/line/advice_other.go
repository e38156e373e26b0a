//go:build !linux

package line

import (
	"runtime"
	"strings"

	"homeroom/core"
)

// hidden tells whether a port is one that a Mac has without anything plugged in.
func hidden(name string) bool {
	for _, s := range []string{"Bluetooth", "debug-console", "wlan-debug", ".lock", ".init"} {
		if strings.Contains(name, s) {
			return true
		}
	}
	return false
}

// holder is nothing: who has a port open can only be seen on Linux, and opening it fails.
func (s System) holder(string) core.Sentence { return core.Sentence{} }

func (s System) busy(port string) core.Sentence { return somebody(port) }

func (s System) denied(port string) core.Sentence { return somebody(port) }

// seen is nothing: only Linux tells of boards without a port.
func (s System) seen() []core.Sentence { return nil }

// drivers is how the two usual drivers get onto a PC without internet.
func drivers() []core.Sentence {
	switch runtime.GOOS {
	case "windows":
		return []core.Sentence{
			core.Say("Look at the black chip next to the USB socket. CH340 on it, or a board without a name: on a PC with internet, get CH341SER.EXE from wch-ic.com, carry it here on a stick, run it, and plug the board in again."),
			core.Say("CP2102 on the chip, or SILABS: on a PC with internet, get the CP210x Universal Windows Driver from silabs.com, carry it here on a stick, unpack it, right-click silabser.inf, choose Install, and plug the board in again."),
			core.Say("In a virtual machine, give the board to it in its USB menu."),
		}
	case "darwin":
		return []core.Sentence{
			core.Say("A Mac asks before it lets a new USB device in: choose Allow, or look in System Settings under Privacy & Security."),
			core.Say("macOS 11 and later have drivers for CH340 and CP2102. On an older Mac, get CH34xVCPDriver from wch-ic.com or CP210x VCP from silabs.com on one with internet, carry it here on a stick, install it, and restart."),
		}
	}
	return nil
}
