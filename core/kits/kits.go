// Package kits is about real kits: it finds, flashes and provisions them, sees
// them join, tests, updates and forgets them. firmware/PROTOCOL.md is what it
// agrees on with the firmware.
package kits
